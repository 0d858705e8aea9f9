/**
 * The one error shape of the project. A module declares a union of `{ code, ...data }` and throws `Fault`
 * with one member of it. Callers and the HTTP table match on codes; texts are for people. Knows no module's
 * codes.
 */
export interface FaultData {
  readonly code: string;
}

/** An error that carries one member of its module's union. `cause` keeps the error behind it. */
export class Fault<D extends FaultData> extends Error {
  readonly data: D;

  constructor(data: D, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = data.code;
    this.data = data;
  }
}

/** A broken invariant of our own, never a fault of input or of a peer. */
export function bug(message: string): never {
  throw new Fault({ code: 'Bug' }, message);
}

/** The text of any thrown value. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
