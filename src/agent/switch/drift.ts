/**
 * Counts and logs the changes of other programs on the switch, by kind. Reports a conflict when they do not end.
 * Corrects nothing: the finder of a difference does.
 */
import type { Logger } from 'pino';

export const driftKinds = [
  'flow',
  'group',
  'meter',
  'controller',
  'fail-mode',
  'protocols',
  'datapath',
  'tunnel',
  'patch',
] as const;
export type DriftKind = (typeof driftKinds)[number];
export type DriftCounts = Readonly<Record<DriftKind, number>>;

/** As many finds within so many milliseconds are no accident: somebody else controls the bridge too. */
const conflict = { finds: 5, within: 30_000 } as const;

export class Drift {
  readonly #log: Logger;
  readonly #counts: Record<DriftKind, number> = {
    flow: 0,
    group: 0,
    meter: 0,
    controller: 0,
    'fail-mode': 0,
    protocols: 0,
    datapath: 0,
    tunnel: 0,
    patch: 0,
  };
  #finds: number[] = [];

  constructor(log: Logger) {
    this.#log = log;
  }

  get counts(): DriftCounts {
    return this.#counts;
  }

  /** `count` things of a kind are not as they were left. */
  found(kind: DriftKind, count: number, details: object): void {
    this.#counts[kind] += count;
    this.#log.warn({ kind, count, ...details }, 'somebody changed the switch; correcting it');
    const now = performance.now();
    this.#finds = [...this.#finds.filter((at) => now - at < conflict.within), now];
    if (this.#finds.length < conflict.finds) return;
    this.#finds = [];
    this.#log.error(
      { kind, times: conflict.finds },
      'something else changes the switch again and again: a bridge can have one controller only',
    );
  }
}
