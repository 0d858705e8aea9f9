/**
 * The networks whose connections a loss may concern: by the network, the interface, the set of groups or the rule that the
 * changed flow names. Null where it names none: every network.
 */
import type { Flow, Match } from '../../openflow/index.ts';
import type { GroupId, NetworkId, RuleId } from '../../policy/world.ts';
import type { Facts } from '../facts.ts';
import { register } from '../registers.ts';
import type { Ids, Relations } from '../relations.ts';
import { effectOrNull, type Way } from './effect.ts';
import type { ChangedFlow, Loss, Losses } from './losses.ts';

/** What a difference is judged by. */
export interface ScopeContext {
  readonly facts: Facts;
  readonly relations: Relations;
  readonly ids: Ids;
  /** Networks by their keys, those that have just gone included. */
  readonly networks: ReadonlyMap<number, NetworkId>;
}

type Networks = ReadonlySet<NetworkId>;
const nowhere: Networks = new Set();

const setRegisters = [register.sourceSet, register.destinationSet] as const;

const waysOf = (flow: Flow | null): readonly Way[] => {
  const effect = effectOrNull(flow);
  return effect?.kind === 'pass' ? effect.ways : [];
};

function add<K>(map: Map<K, Set<NetworkId>>, key: K, network: NetworkId): void {
  const networks = map.get(key);
  if (networks === undefined) map.set(key, new Set([network]));
  else networks.add(network);
}

interface Present {
  readonly sets: Map<number, Set<NetworkId>>;
  readonly groups: Map<GroupId, Set<NetworkId>>;
}

export class Scopes {
  readonly #context: ScopeContext;
  readonly #losses: Losses;
  /** Networks with ports of a set of groups that have changed. */
  readonly #before = new Map<number, Set<NetworkId>>();
  /** Networks with ports of a set, and of a group: gathered when first asked for. */
  #now: Present | null = null;
  /** `network|port`, by key: ports that sent nothing before. */
  readonly #came = new Set<string>();
  readonly #cameNetworks = new Set<number>();
  /** Conjunctions that a set of groups has lost. */
  readonly #lostBySets = new Set<number>();

  constructor(context: ScopeContext, losses: Losses, changes: readonly ChangedFlow[]) {
    this.#context = context;
    this.#losses = losses;
    const { locals } = context.relations;
    const gone = new Set<string>();
    for (const { before, after } of changes) {
      for (const { loads } of waysOf(before)) {
        const network = this.#named(loads.get(register.network));
        const set = loads.get(register.sourceSet);
        if (network !== null && typeof set === 'number') add(this.#before, set, network);
        gone.add(this.#subject(loads.get(register.network), loads.get(register.source)));
      }
      for (const { loads } of waysOf(after))
        this.#came.add(this.#subject(loads.get(register.network), loads.get(register.source)));
      const old = effectOrNull(before);
      if (old?.kind === 'clauses' && setRegisters.some((field) => before?.match[field] !== undefined))
        for (const id of old.shares.values()) this.#lostBySets.add(id);
    }
    for (const subject of gone) this.#came.delete(subject);
    this.#came.delete('');
    if (this.#came.size === 0) return;
    for (const [, { networkKey }] of locals.entries()) this.#cameNetworks.add(networkKey);
    for (const [, { networkKey, key }] of locals.entries())
      if (!this.#came.has(this.#subject(networkKey, key))) this.#cameNetworks.delete(networkKey);
  }

  get #present(): Present {
    if (this.#now === null) {
      this.#now = { sets: new Map(), groups: new Map() };
      for (const [, { port, set }] of this.#context.relations.locals.entries()) {
        add(this.#now.sets, set, port.network);
        for (const group of port.groups) add(this.#now.groups, group, port.network);
      }
    }
    return this.#now;
  }

  #subject(network: unknown, port: unknown): string {
    return typeof network === 'number' && typeof port === 'number' ? `${network}|${port}` : '';
  }

  #named(network: unknown): NetworkId | null {
    return (typeof network === 'number' ? this.#context.networks.get(network) : undefined) ?? null;
  }

  /** Whether no packet could match the flow before. */
  isNew({ before, after }: ChangedFlow): boolean {
    if (before !== null || after === null) return false;
    const network = after.match[register.network];
    if (typeof network !== 'number') return false;
    return (
      this.#cameNetworks.has(network) ||
      [register.source, register.destination].some((field) =>
        this.#came.has(this.#subject(network, after.match[field])),
      )
    );
  }

  /** The networks that a change concerns by what its flows match alone; null where that is more than one network. */
  networkOf({ before, after }: ChangedFlow): NetworkId | null {
    return this.#named((before ?? after)?.match[register.network]);
  }

  /** The networks of a loss; null for all. */
  of(change: ChangedFlow, loss: Loss): Networks | null {
    const match: Match = (change.before ?? change.after)?.match ?? {};
    const network = this.networkOf(change);
    if (network !== null) return new Set([network]);
    if (match.in_port !== undefined || match.tun_id !== undefined) return this.#ofWays(change);
    for (const field of setRegisters) {
      const set = match[field];
      if (typeof set === 'number') return this.#ofSet(set, loss);
    }
    const conjunction = match.conj_id;
    if (typeof conjunction === 'number') return this.#ofConjunctions([conjunction]);
    if (loss === 'all') return null;
    return this.#isUnused(match) ? nowhere : this.#ofConjunctions(loss);
  }

  #ofWays({ before, after }: ChangedFlow): Networks | null {
    const networks = new Set<NetworkId>();
    for (const { loads } of [...waysOf(before), ...waysOf(after)]) {
      const network = this.#named(loads.get(register.network));
      if (network === null) return null;
      networks.add(network);
    }
    return networks;
  }

  /** Of a set that no port has any more, only rules that have ended are lost here: all else is said by the ports. */
  #ofSet(set: number, loss: Loss): Networks {
    const after = this.#present.sets.get(set);
    if (after === undefined && (loss === 'all' || [...loss].every((id) => this.#losses.isAlive(id))))
      return nowhere;
    return new Set([...(after ?? []), ...(this.#before.get(set) ?? [])]);
  }

  /** Whether no address has the class that the match asks for. */
  #isUnused({ [register.peer]: peer, [register.addresses]: addresses }: Match): boolean {
    const { classes, addressClasses } = this.#context.ids;
    if (typeof peer === 'number') return classes.nameOf(peer) === undefined;
    return typeof addresses === 'number' && addressClasses.nameOf(addresses) === undefined;
  }

  #ofConjunctions(ids: Iterable<number>): Networks | null {
    const { ids: names, facts } = this.#context;
    const networks = new Set<NetworkId>();
    for (const id of ids) {
      if (!this.#losses.isAlive(id) && this.#lostBySets.has(id)) continue;
      const rule = facts.rules.get((names.rules.nameOf(id) ?? '') as RuleId);
      if (rule === undefined) return null;
      for (const network of this.#present.groups.get(rule.group) ?? []) networks.add(network);
    }
    return networks;
  }
}
