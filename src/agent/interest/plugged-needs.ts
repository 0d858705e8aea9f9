/**
 * Keeps followed in the store what the flows of plugged ports depend on, and says which ports have all of it. Knows no
 * switch.
 */
import type { Logger } from 'pino';
import { keys } from '../../model/keys.ts';
import type { Facts } from '../../pipeline/facts.ts';
import type { NetworkId, PortId } from '../../policy/world.ts';
import type { Store } from '../../store/contract.ts';
import { Following, type StoreReader } from './following.ts';
import { Lingering } from './lingering.ts';
import { commonPrefixes, type Installed, prefixesFor } from './needs.ts';
import type { Topology } from './topology.ts';

export interface PluggedNeedsOptions {
  readonly store: Store;
  readonly log: Logger;
  readonly topology: Topology;
  readonly facts: Facts;
  /** Beside the topology. */
  readonly readers: readonly StoreReader[];
  /** Milliseconds for which what no port needs any more is still followed. */
  readonly lingerTime: number;
  /** A round is needed. */
  readonly onChange: () => void;
}

export class PluggedNeeds {
  readonly #topology: Topology;
  readonly #facts: Facts;
  readonly #log: Logger;
  readonly #following: Following;
  readonly #unneeded: Lingering<string>;
  #isComplete = false;
  #wasComplete = false;
  /** The revision of the facts when they were complete. */
  #revision = 0;
  /** A plugged port without a number; null when there is none. */
  #awaited: PortId | null = null;

  constructor({ store, log, topology, facts, readers, lingerTime, onChange }: PluggedNeedsOptions) {
    this.#topology = topology;
    this.#facts = facts;
    this.#log = log;
    this.#unneeded = new Lingering(lingerTime, onChange);
    this.#following = new Following({
      store,
      log,
      readers: [topology, ...readers],
      prefixes: [...commonPrefixes, ...readers.flatMap(({ prefixes }) => prefixes)],
      installed: installedIn(facts),
      known: topology,
      onChange,
    });
  }

  close(): void {
    this.#following.close();
    this.#unneeded.stop();
  }

  /** Whether the store has answered. */
  get isListed(): boolean {
    return this.#following.isListed;
  }

  /** Whether the facts have all that plugged ports need, as of the last `follow`. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Whether they had it once. Before, a round would withdraw flows that an earlier agent installed. */
  get wasComplete(): boolean {
    return this.#wasComplete;
  }

  /** The facts have everything that plugged ports need, up to this revision of the store. */
  get revision(): number {
    if (this.#isComplete) this.#revision = this.#following.revision;
    return this.#revision;
  }

  /** Follows what these ports need, and these networks. What neither needs is followed for a while, then forgotten. */
  follow(plugged: readonly PortId[], networks: Iterable<NetworkId>): void {
    const wanted = prefixesFor(plugged, networks, this.#topology);
    this.#following.add(wanted);
    const isFollowed = [...wanted].every((prefix) => this.#topology.follows(prefix));
    const isNumbered = !this.#waitsForNumbers(plugged);
    this.#isComplete = this.isListed && isFollowed && isNumbered && !this.#following.isHolding;
    this.#wasComplete ||= this.#isComplete;
    if (this.#isComplete) this.#revision = this.#following.revision;
    const over = this.#unneeded.over(this.#following.added.filter((prefix) => !wanted.has(prefix)));
    // What is held may be about to need them.
    if (over.length > 0 && !this.#following.isHolding) this.#forget(over);
  }

  #forget(prefixes: readonly string[]): void {
    const { zones } = this.#facts;
    this.#following.remove(prefixes);
    this.#topology.forget(prefixes);
    // A network that comes back gets an empty zone, because nobody has judged its connections meanwhile.
    for (const [network] of zones.entries())
      if (!this.#topology.follows(keys.network(network))) zones.delete(network);
  }

  /** Logs each wait once. */
  #waitsForNumbers(plugged: readonly PortId[]): boolean {
    const port = plugged.find((id) => this.#topology.awaitsNumbers(id)) ?? null;
    if (port !== null && this.#awaited === null)
      this.#log.warn({ port }, 'waits for a server to number the records of release 0.1');
    this.#awaited = port;
    return port !== null;
  }

  /** Whether the facts have all that the port's flows depend on. A port that has flows keeps them. */
  isReady(port: PortId): boolean {
    if (this.#facts.ofports.get(port) !== undefined) return true;
    if (this.#topology.port(port) === undefined || this.#topology.awaitsNumbers(port)) return false;
    if (this.#following.isHolding) return false;
    return [...prefixesFor([port], [], this.#topology)].every((prefix) => this.#topology.follows(prefix));
  }
}

/** Ports that the facts have as local, their networks and groups. */
const installedIn = ({ ofports, ports }: Facts): Installed => ({
  any: () => ofports.size > 0,
  port: (id) => ofports.get(id) !== undefined,
  network: (id) => [...ofports.entries()].some(([port]) => ports.get(port)?.network === id),
  group: (id) => [...ofports.entries()].some(([port]) => ports.get(port)?.groups.includes(id)),
});
