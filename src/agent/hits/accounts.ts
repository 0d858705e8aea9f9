/**
 * What each rule has let in, gathered from readings of the switch's flow counters. A flow's counters begin at zero
 * whenever the flow does, so an account adds differences: to what the same flow showed before, else to nothing.
 * Accounts only grow. Pure: does not read the switch, knows no store.
 */
import type { HitCount, HitRecord } from '../../model/records.ts';

/** Whose packets a verdict flow counts. */
export interface Counted {
  readonly rule: string;
  /** Empty where ports are not told apart. */
  readonly port: string;
  /** Only packets that begin a connection. */
  readonly opens: boolean;
}

/** One flow's counters. */
export interface CounterReading extends Counted {
  /** The same for the same flow, also in another life of the agent; unlike any other flow of the rule. */
  readonly flow: string;
  readonly packets: number;
  readonly bytes: number;
  /** Seconds since the flow was made, and since its last packet. */
  readonly age: number;
  readonly idle: number;
}

export interface Look {
  readonly readings: readonly CounterReading[];
  /** Whether all verdict flows with packets were read, so that what is missing is gone or begins anew. */
  readonly whole: boolean;
  /** Milliseconds of a clock that never jumps, before the switch was asked and after it had answered. */
  readonly asked: number;
  readonly heard: number;
  /** Milliseconds since 1970 when it had answered. */
  readonly wall: number;
}

interface Base {
  readonly packets: number;
  readonly bytes: number;
  /** By the clock of looks. */
  readonly at: number;
}

interface Account {
  readonly ports: Map<string, HitCount>;
  /** By flow; none while a flow has had no packet. */
  readonly bases: Map<string, Base>;
  at: number;
}

const nothing: HitCount = { packets: 0, bytes: 0, connections: 0, first: null, last: null };

const earlier = (a: number | null, b: number | null): number | null =>
  a === null ? b : b === null ? a : Math.min(a, b);
const later = (a: number | null, b: number | null): number | null =>
  a === null ? b : b === null ? a : Math.max(a, b);

/** Two counts as one. */
export const sumOf = (a: HitCount, b: HitCount): HitCount => ({
  packets: a.packets + b.packets,
  bytes: a.bytes + b.bytes,
  connections: a.connections + b.connections,
  first: earlier(a.first, b.first),
  last: later(a.last, b.last),
});

export class HitAccounts {
  readonly #accounts = new Map<string, Account>();
  readonly #changed = new Set<string>();

  /** What an earlier life of the agent left. */
  restore(rule: string, record: HitRecord): void {
    // How long ago that was no clock tells for sure, so the age of a flow proves nothing against these bases.
    const at = Number.POSITIVE_INFINITY;
    const bases = Object.entries(record.switch).map(
      ([flow, [packets, bytes]]) => [flow, { packets, bytes, at }] as const,
    );
    this.#accounts.set(rule, {
      ports: new Map(Object.entries(record.ports)),
      bases: new Map(bases),
      at: record.at,
    });
  }

  /** Rules that have an account. */
  rules(): IterableIterator<string> {
    return this.#accounts.keys();
  }

  /** Whether the switch's counters stood above zero anywhere. */
  get based(): boolean {
    return [...this.#accounts.values()].some(({ bases }) => bases.size > 0);
  }

  /** Gives whether a flow had lost its counters unannounced. */
  fold({ readings, whole, asked, heard, wall }: Look): boolean {
    let lost = false;
    for (const reading of readings) {
      const { rule, flow, packets, bytes } = reading;
      const base = this.#accounts.get(rule)?.bases.get(flow);
      if (base === undefined && packets === 0) continue;
      // Asked before the age was told: the flow is older than this says, never younger.
      const made = asked - reading.age * 1000;
      const goesOn = base !== undefined && packets >= base.packets && bytes >= base.bytes && made <= base.at;
      if (base !== undefined && !goesOn) lost = true;
      if (goesOn && packets === base.packets) continue;
      const from = goesOn ? base : { packets: 0, bytes: 0 };
      this.#add(reading, packets - from.packets, bytes - from.bytes, wall);
      const account = this.#accountOf(rule);
      if (packets === 0) account.bases.delete(flow);
      else account.bases.set(flow, { packets, bytes, at: heard });
      this.#mark(rule, account, wall);
    }
    return (whole && this.#dropMissing(readings, wall)) || lost;
  }

  #accountOf(rule: string): Account {
    let account = this.#accounts.get(rule);
    if (account === undefined)
      this.#accounts.set(rule, (account = { ports: new Map(), bases: new Map(), at: 0 }));
    return account;
  }

  #add(
    { rule, port, opens, idle }: Counted & { readonly idle: number },
    packets: number,
    bytes: number,
    wall: number,
  ): void {
    if (packets === 0) return;
    const { ports } = this.#accountOf(rule);
    const at = Math.round(wall - idle * 1000);
    const more = { packets, bytes, connections: opens ? packets : 0, first: at, last: at };
    ports.set(port, sumOf(ports.get(port) ?? nothing, more));
  }

  #mark(rule: string, account: Account, wall: number): void {
    account.at = wall;
    this.#changed.add(rule);
  }

  #dropMissing(readings: readonly CounterReading[], wall: number): boolean {
    const seen = new Map<string, Set<string>>();
    for (const { rule, flow } of readings) {
      const flows = seen.get(rule);
      if (flows === undefined) seen.set(rule, new Set([flow]));
      else flows.add(flow);
    }
    let lost = false;
    for (const [rule, account] of this.#accounts) {
      for (const flow of account.bases.keys()) {
        if (seen.get(rule)?.has(flow) === true) continue;
        account.bases.delete(flow);
        this.#mark(rule, account, wall);
        lost = true;
      }
    }
    return lost;
  }

  /**
   * Announces that a flow has ended after it was last read; should it come back, it counts from zero. Gives what has
   * been counted of it.
   */
  ended(rule: string, flow: string, wall: number): { readonly packets: number; readonly bytes: number } {
    const account = this.#accounts.get(rule);
    const base = account?.bases.get(flow);
    if (account === undefined || base === undefined) return { packets: 0, bytes: 0 };
    account.bases.delete(flow);
    this.#mark(rule, account, wall);
    return base;
  }

  /** What a flow met that no look has seen. */
  add(counted: Counted, packets: number, bytes: number, wall: number): void {
    this.#add({ ...counted, idle: 0 }, packets, bytes, wall);
    this.#mark(counted.rule, this.#accountOf(counted.rule), wall);
  }

  /** No flow goes on: the switch has restarted. */
  restart(wall: number): void {
    for (const [rule, account] of this.#accounts) {
      if (account.bases.size === 0) continue;
      account.bases.clear();
      this.#mark(rule, account, wall);
    }
  }

  /** Forgets the accounts of rules that are gone. Adds up the counts of ports that are gone. */
  prune(isRuleGone: (id: string) => boolean, isPortGone: (id: string) => boolean, wall: number): void {
    for (const [id, account] of this.#accounts) {
      if (isRuleGone(id)) {
        this.#accounts.delete(id);
        this.#changed.add(id);
        continue;
      }
      for (const [name, count] of account.ports) {
        if (name === '' || !isPortGone(name)) continue;
        account.ports.delete(name);
        account.ports.set('', sumOf(account.ports.get('') ?? nothing, count));
        this.#mark(id, account, wall);
      }
    }
  }

  /** What changed since it was taken last, as records; null for rules that have no account any more. */
  takeChanged(): Map<string, HitRecord | null> {
    const changed = new Map([...this.#changed].map((rule) => [rule, this.#recordOf(rule)]));
    this.#changed.clear();
    return changed;
  }

  /** Puts back what could not be recorded. */
  putBack(rules: Iterable<string>): void {
    for (const rule of rules) this.#changed.add(rule);
  }

  #recordOf(rule: string): HitRecord | null {
    const account = this.#accounts.get(rule);
    if (account === undefined) return null;
    const bases = [...account.bases].map(([flow, { packets, bytes }]) => [flow, [packets, bytes]] as const);
    return { ports: Object.fromEntries(account.ports), switch: Object.fromEntries(bases), at: account.at };
  }
}
