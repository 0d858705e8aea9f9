/** Hands each key of the store to the handler of its kind. Ignores keys of kinds without a handler. */
import type { AnyParts, Kind } from './key-kind.ts';

export interface KeyHandler {
  readonly kind: Kind<unknown>;
  /** `value` is null once the key is gone. Throws what reading throws. False for keys of another kind. */
  take(key: string, value: string | null, modRevision: number): boolean;
}

interface Change<R, P> {
  readonly key: string;
  readonly parts: P;
  /** Null once the key is gone. */
  readonly record: R | null;
  /** 0 once the key is gone. */
  readonly modRevision: number;
}

export function on<R, P extends AnyParts>(
  kind: Kind<R, P>,
  handle: (change: Change<R, P>) => void,
): KeyHandler {
  return {
    kind,
    take: (key, value, modRevision) => {
      const parts = kind.parse(key);
      if (parts === null) return false;
      handle({ key, parts, record: value === null ? null : kind.read(value), modRevision });
      return true;
    },
  };
}

const firstPart = (path: string): string => path.split('/', 1)[0] ?? '';

export class KeyDispatch {
  /** The prefixes of all that is handled. */
  readonly prefixes: readonly string[];
  readonly #byFirstPart: ReadonlyMap<string, readonly KeyHandler[]>;

  constructor(handlers: readonly KeyHandler[]) {
    this.prefixes = handlers.map(({ kind }) => kind.prefix);
    const byFirstPart = new Map<string, readonly KeyHandler[]>();
    for (const handler of handlers) {
      const first = firstPart(handler.kind.layout);
      byFirstPart.set(first, [...(byFirstPart.get(first) ?? []), handler]);
    }
    this.#byFirstPart = byFirstPart;
  }

  take(key: string, value: string | null, modRevision = 0): boolean {
    const handlers = this.#byFirstPart.get(firstPart(key)) ?? [];
    return handlers.some((handler) => handler.take(key, value, modRevision));
  }
}
