/**
 * Verdict flows that a change has ended, until the switch has told their last counters: it does when no cached
 * decision needs them any more, some milliseconds after the change. What they met since they were last read is
 * what this gives. Pure but for its clock; reads and records nothing.
 */
import { canonicalKey, type FlowKey, type FlowRemoved } from '../../openflow/index.ts';
import type { Counted } from './accounts.ts';

export interface Counts {
  readonly packets: number;
  readonly bytes: number;
}

/** What a flow met that nobody has counted yet. */
export interface Rest extends Counted, Counts {}

interface Ended {
  readonly counted: Counted;
  /** What has been counted of it. */
  readonly base: Counts;
  readonly at: number;
}

/** Milliseconds after which nothing more is expected of a flow: one of an older version is not told of. */
const removalTimeout = 5000;

const keyOf = ({ table, priority, match, cookie }: FlowKey & { readonly cookie: bigint }): string =>
  `${cookie.toString(36)}/${canonicalKey(table, priority, match)}`;

function restOf({ counted, base }: Ended, { packets, bytes }: FlowRemoved): Rest | null {
  const rest = { packets: Number(packets) - base.packets, bytes: Number(bytes) - base.bytes };
  return rest.packets > 0 && rest.bytes >= 0 ? { ...counted, ...rest } : null;
}

export class HitEndings {
  readonly #awaited = new Map<string, Ended>();
  /** Told while a change is under way, whose own end is heard only after. */
  readonly #early = new Map<string, FlowRemoved>();
  #changing = false;
  #waiting: (() => void)[] = [];

  changeBegins(): void {
    this.#changing = true;
  }

  changeEnds(): void {
    this.#changing = false;
    this.#early.clear();
  }

  /** Gives the rest when the switch has told it already. */
  ended(flow: FlowKey & { readonly cookie: bigint }, counted: Counted, base: Counts): Rest | null {
    const key = keyOf(flow);
    const ended = { counted, base, at: performance.now() };
    const told = this.#early.get(key);
    if (told !== undefined) return restOf(ended, told);
    this.#awaited.set(key, ended);
    return null;
  }

  /** What the switch says of a flow that has gone. */
  told(removed: FlowRemoved): Rest | null {
    const key = keyOf(removed);
    const ended = this.#awaited.get(key);
    if (ended === undefined) {
      if (this.#changing) this.#early.set(key, removed);
      return null;
    }
    this.#awaited.delete(key);
    if (this.#awaited.size === 0) for (const tell of this.#waiting.splice(0)) tell();
    return restOf(ended, removed);
  }

  /** Resolves when nothing is awaited, at the latest after so many milliseconds. */
  async settled(timeout: number): Promise<void> {
    const now = performance.now();
    for (const [key, { at }] of this.#awaited) if (now - at > removalTimeout) this.#awaited.delete(key);
    if (this.#awaited.size === 0) return;
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, timeout);
      this.#waiting.push(() => {
        clearTimeout(late);
        resolve();
      });
    });
  }
}
