/**
 * What packets lose by one difference of flows: nothing, some conjunctions that they completed, or anything. Compares each
 * changed flow with what its packets met before, or meet now. What cannot be shown to lose nothing counts as a loss.
 *
 * # Invariants
 * - A register's value stands for what later flows do with it. So one value may replace another where each flow that
 *   matches the old one has a flow for the new one that does as much.
 * - A conjunction without a flow that it leads to admits nobody. Its clauses may go then.
 */
import { canonicalKey, type Flow, type Match } from '../../openflow/index.ts';
import type { DesiredFlows } from '../desired.ts';
import { classRegisters } from '../flows-by-value.ts';
import { guardedTypes } from '../icmpv6-types.ts';
import { arp, rarp } from '../matches.ts';
import { register } from '../registers.ts';
import { isNeutral } from '../tables.ts';
import { type Effect, effectOf, effectOrNull, signatureOf, type Way } from './effect.ts';
import { areDisjoint, type FlowsBelow } from './flows-below.ts';

export interface ChangedFlow {
  readonly key: string;
  readonly before: Flow | null;
  readonly after: Flow | null;
}

/** Ids of conjunctions, or everything. */
export type Loss = 'all' | ReadonlySet<number>;

type Place = Pick<Flow, 'table' | 'priority' | 'match'>;

export const nothing: ReadonlySet<number> = new Set();
export const isLoss = (loss: Loss): boolean => loss === 'all' || loss.size > 0;

function joined(one: Loss, other: Loss): Loss {
  if (one === 'all' || other === 'all') return 'all';
  if (one.size === 0) return other;
  return other.size === 0 ? one : new Set([...one, ...other]);
}

/** Address resolution and neighbour discovery begin no connection. */
const isUntracked = ({ eth_type, icmpv6_type }: Match): boolean =>
  eth_type === arp.eth_type ||
  eth_type === rarp.eth_type ||
  (typeof icmpv6_type === 'number' && guardedTypes.has(icmpv6_type));

/** Whether no change of the flow can forbid a connection, whatever it does. */
export const isIrrelevant = ({ table, priority, match }: Place): boolean =>
  isNeutral(table, priority) || isUntracked(match);

export class Losses {
  readonly #desired: DesiredFlows;
  readonly #below: FlowsBelow;
  readonly #changes: ReadonlyMap<string, ChangedFlow>;
  readonly #leftOut: ReadonlySet<string>;
  /** By `field=value`: changes of flows that matched it. */
  readonly #matched = new Map<string, string[]>();
  readonly #ofValues = new Map<string, Loss>();

  /** `leftOut`: keys of wanted flows that the switch does not have. */
  constructor(
    desired: DesiredFlows,
    below: FlowsBelow,
    changes: readonly ChangedFlow[],
    leftOut: ReadonlySet<string>,
  ) {
    this.#leftOut = leftOut;
    this.#desired = desired;
    this.#below = below;
    this.#changes = new Map(changes.map((change) => [change.key, change]));
    for (const { key, before, after } of changes) {
      if (before !== null) below.note(before);
      if (after !== null) below.note(after);
      for (const field of classRegisters) {
        const value = before?.match[field];
        if (typeof value !== 'number') continue;
        const keys = this.#matched.get(`${field}=${value}`);
        if (keys === undefined) this.#matched.set(`${field}=${value}`, [key]);
        else keys.push(key);
      }
    }
  }

  /** What packets lose that matched a changed flow, or match it now. */
  of({ before, after }: ChangedFlow): Loss {
    const place = before ?? after;
    if (place === null || isIrrelevant(place)) return nothing;
    const [old, now] = [effectOrNull(before), effectOrNull(after)];
    const left = old?.kind === 'clauses' ? sharesLost(old, now) : nothing;
    if (before === null || old === null || old.kind === 'clauses')
      return after === null || now?.kind === 'clauses' ? left : joined(left, this.#byAdding(place, after));
    if (now === null || now.kind === 'clauses') return this.#byRemoving(place, before);
    return this.#byReplacing(old, now, place.match);
  }

  /** Whether a conjunction leads anywhere now. */
  isAlive(id: number): boolean {
    for (const key of this.#desired.having('conj_id', id)) if (!this.#leftOut.has(key)) return true;
    return false;
  }

  #before(key: string): Flow | null {
    const change = this.#changes.get(key);
    return change === undefined ? this.#unchanged(key) : change.before;
  }

  #after(key: string): Flow | null {
    const change = this.#changes.get(key);
    return change === undefined ? this.#unchanged(key) : change.after;
  }

  #unchanged(key: string): Flow | null {
    return this.#leftOut.has(key) ? null : (this.#desired.get(key) ?? null);
  }

  /** A flow that was not there takes packets from those below it. */
  #byAdding(place: Place, added: Flow): Loss {
    const [now, signature] = [effectOf(added), signatureOf(added)];
    for (const below of this.#below.below(place)) {
      if ('does' in below) {
        for (const does of below.does)
          if (does !== 'drop' && does !== 'clauses' && (does === null || does !== signature)) return 'all';
        continue;
      }
      const old = effectOrNull(this.#before(below.covers));
      if (old !== null && old.kind !== 'clauses') return this.#byReplacing(old, now, place.match);
    }
    return nothing;
  }

  /** The packets of a flow that goes meet those below it. */
  #byRemoving(place: Place, removed: Flow): Loss {
    const [old, signature] = [effectOf(removed), signatureOf(removed)];
    if (old.kind === 'drop') return nothing;
    for (const below of this.#below.below(place)) {
      if ('does' in below) {
        for (const does of below.does)
          if (does !== 'clauses' && (does === null || does !== signature)) return 'all';
        continue;
      }
      const now = effectOrNull(this.#after(below.covers));
      if (now !== null && now.kind !== 'clauses') return this.#byReplacing(old, now, place.match);
    }
    return 'all';
  }

  #byReplacing(old: Effect, now: Effect, match: Match): Loss {
    if (old.kind !== 'pass') return nothing;
    if (now.kind !== 'pass' || old.rest !== now.rest) return 'all';
    let loss: Loss = nothing;
    for (const way of old.ways) {
      let least: Loss = 'all';
      for (const other of now.ways) {
        if (other.table !== way.table) continue;
        const lost = this.#byWay(way, other, match);
        if (least === 'all' || (lost !== 'all' && lost.size < least.size)) least = lost;
        if (!isLoss(least)) break;
      }
      loss = joined(loss, least);
      if (loss === 'all') return loss;
    }
    return loss;
  }

  #byWay(old: Way, now: Way, match: Match): Loss {
    let loss: Loss = nothing;
    for (const field of new Set([...old.loads.keys(), ...now.loads.keys()])) {
      const [from, to] = [old.loads.get(field) ?? 0, now.loads.get(field) ?? 0];
      if (from === to) continue;
      const known = classRegisters.find((each) => each === field);
      if (known === undefined || typeof from !== 'number' || typeof to !== 'number') return 'all';
      const network = now.loads.get(register.network) ?? match[register.network];
      loss = joined(loss, this.#byValue(known, from, to, typeof network === 'number' ? network : null));
      if (loss === 'all') return loss;
    }
    return loss;
  }

  /** What packets of a network lose whose register has another value now. */
  #byValue(field: (typeof classRegisters)[number], from: number, to: number, network: number | null): Loss {
    const text = `${field} ${from} ${to} ${network}`;
    const known = this.#ofValues.get(text);
    if (known !== undefined) return known;
    // Until it is worked out: flows that lead in a circle lose everything.
    this.#ofValues.set(text, 'all');
    const within: Match = network === null ? {} : { [register.network]: network };
    const concerns = (flow: Flow | null): flow is Flow =>
      flow !== null && !isIrrelevant(flow) && !areDisjoint(flow.match, within, [register.network]);
    const placeWith = ({ table, priority, match }: Flow, value: number): Place => ({
      table,
      priority,
      match: { ...match, [field]: value },
    });
    const keyOf = ({ table, priority, match }: Place): string => canonicalKey(table, priority, match);

    let loss: Loss = nothing;
    const keys = [...this.#desired.having(field, from), ...(this.#matched.get(`${field}=${from}`) ?? [])];
    for (const flow of [...new Set(keys)].map((key) => this.#before(key)).filter(concerns)) {
      const place = placeWith(flow, to);
      const [old, now] = [effectOf(flow), effectOrNull(this.#after(keyOf(place)))];
      if (old.kind === 'clauses') loss = joined(loss, this.#ofLiving(sharesLost(old, now)));
      else if (old.kind === 'pass')
        loss = joined(
          loss,
          now === null || now.kind === 'clauses'
            ? this.#byRemoving(place, flow)
            : this.#byReplacing(old, now, place.match),
        );
    }
    for (const key of this.#desired.having(field, to)) {
      const flow = this.#after(key);
      if (!concerns(flow)) continue;
      const now = effectOf(flow);
      const place = placeWith(flow, from);
      const old = effectOrNull(this.#before(keyOf(place)));
      if (now.kind !== 'clauses' && (old === null || old.kind === 'clauses'))
        loss = joined(loss, this.#byAdding(place, flow));
    }
    this.#ofValues.set(text, loss);
    return loss;
  }

  /** The change that ends a conjunction says so by itself. */
  #ofLiving(lost: ReadonlySet<number>): Loss {
    return lost.size === 0 ? lost : new Set([...lost].filter((id) => this.isAlive(id)));
  }
}

function sharesLost(old: Effect, now: Effect | null): ReadonlySet<number> {
  if (old.kind !== 'clauses') return nothing;
  const kept = now?.kind === 'clauses' ? now.shares : new Map<string, number>();
  const lost = new Set<number>();
  for (const [share, id] of old.shares) if (!kept.has(share)) lost.add(id);
  return lost;
}
