/**
 * The networks in which a change of flows may have forbidden something. The agent judges their live connections again.
 *
 * # Idea
 * A difference of flows says what packets lose (losses.ts) and where (scopes.ts), whatever facts it comes from. So a
 * feature has nothing to remember here, and what only allows more marks nothing. May mark a network without need.
 *
 * # Ports that are away
 * A port that is unplugged, or elsewhere, has no flows here, but its connections may still be in the switch. Their
 * network is judged when the port comes back or is deleted, and when the network goes down. The judge reports them by `isAway`.
 */
import type { Dataflow } from '../../base/dataflow.ts';
import type { NetworkId, PortId } from '../../policy/world.ts';
import type { DesiredFlows } from '../desired.ts';
import type { Facts } from '../facts.ts';
import type { Ids, Relations } from '../relations.ts';
import { FlowsBelow } from './flows-below.ts';
import { type ChangedFlow, isLoss, Losses } from './losses.ts';
import { type ScopeContext, Scopes } from './scopes.ts';

const none: ReadonlySet<string> = new Set();

export class Tightening {
  readonly #desired: DesiredFlows;
  readonly #context: ScopeContext;
  readonly #below: FlowsBelow;
  readonly #marked = new Set<NetworkId>();
  /** Networks by their keys; of one that goes, until the marks are taken. */
  readonly #networks = new Map<number, NetworkId>();
  readonly #goneKeys = new Set<number>();
  readonly #away = new Map<PortId, NetworkId>();
  #everywhere = false;

  constructor(graph: Dataflow, facts: Facts, relations: Relations, ids: Ids, desired: DesiredFlows) {
    this.#desired = desired;
    this.#context = { facts, relations, ids, networks: this.#networks };
    this.#below = new FlowsBelow((table) => desired.flowsOf(table));
    graph.compare('network-key-tightening', facts.networkKeys, (id, old, key) => {
      if (old !== undefined) this.#goneKeys.add(old);
      if (key !== undefined) {
        this.#networks.set(key, id);
        this.#goneKeys.delete(key);
      }
    });
    graph.compare('away-tightening', facts.networks, (id, old, network) => {
      if (old?.adminUp !== true || network?.adminUp === true) return;
      for (const place of this.#away.values()) if (place === id) this.#marked.add(id);
    });
  }

  /**
   * Marks what a difference may forbid. Call it before the switch gets the difference: it may fail half-way. `leftOut`: keys
   * of wanted flows that the switch does not have.
   */
  note(changes: readonly ChangedFlow[], leftOut: ReadonlySet<string> = none): void {
    if (this.#everywhere) return this.#below.forget();
    if (changes.length === 0) return;
    const losses = new Losses(this.#desired, this.#below, changes, leftOut);
    const scopes = new Scopes(this.#context, losses, changes);
    for (const change of [...changes].sort(inOrderOfTables)) {
      const network = scopes.networkOf(change);
      if ((network !== null && this.#marked.has(network)) || scopes.isNew(change)) continue;
      const loss = losses.of(change);
      if (!isLoss(loss)) continue;
      const networks = scopes.of(change, loss);
      if (networks === null) return this.markAll();
      this.mark(networks);
    }
  }

  /** Marks every network: the flows that the switch had are not known. */
  markAll(): void {
    this.#everywhere = true;
    this.#below.forget();
  }

  /** A port has connections in a network, and no flows here. */
  isAway(port: PortId, network: NetworkId): void {
    this.#away.set(port, network);
  }

  /** Marks networks again whose connections could not be judged. */
  mark(networks: Iterable<NetworkId>): void {
    for (const network of networks) this.#marked.add(network);
  }

  /**
   * The marked networks that have a zone; clears the marks. Call it after the switch has acknowledged the last difference.
   * A caller that fails gives them back by `mark`.
   */
  take(): ReadonlySet<NetworkId> {
    const { facts, relations } = this.#context;
    const { zones, ports } = facts;
    for (const [id, network] of this.#away) {
      if (relations.locals.get(id) === undefined && ports.get(id)?.network === network) continue;
      this.#marked.add(network);
      this.#away.delete(id);
    }
    const marked = this.#everywhere ? [...zones.entries()].map(([network]) => network) : this.#marked;
    const found = new Set([...marked].filter((network) => zones.get(network) !== undefined));
    this.#marked.clear();
    this.#everywhere = false;
    for (const key of this.#goneKeys) this.#networks.delete(key);
    this.#goneKeys.clear();
    return found;
  }
}

/** What names ports comes first: a network that is marked needs no further look. */
const inOrderOfTables = (a: ChangedFlow, b: ChangedFlow): number =>
  ((a.before ?? a.after)?.table ?? 0) - ((b.before ?? b.after)?.table ?? 0);
