/**
 * The one error shape of the project: a module declares a union of `{ code, ...data }` and throws
 * `Fault` with one member of it. Codes are what callers and the HTTP table match on; texts are for people.
 * Must not know any module's codes.
 */
export interface FaultData {
  readonly code: string;
}

/** An error that carries one member of its module's union; `cause` keeps what led to it. */
export class Fault<D extends FaultData> extends Error {
  readonly data: D;

  constructor(data: D, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = data.code;
    this.data = data;
  }
}

/** A broken invariant of our own: never the fault of input or of a peer. */
export function bug(message: string): never {
  throw new Fault({ code: 'Bug' }, message);
}

/** The text of anything that was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
