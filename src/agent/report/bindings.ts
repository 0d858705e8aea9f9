/**
 * Reports the bindings of this host's ports: ACTIVE once the switch has acknowledged the port's flows, DOWN once its
 * interface is gone. Writes only what differs, and never for a port that the store has deleted or another host took.
 */
import { keys } from '../../model/keys.ts';
import type { BindingRecord } from '../../model/records.ts';
import type { NetworkId, PortId } from '../../policy/world.ts';
import type { Condition, Store, Write } from '../../store/contract.ts';
import type { Topology } from '../interest/topology.ts';

export class Bindings {
  readonly #store: Store;
  readonly #topology: Topology;
  readonly #host: string;
  readonly #isPlugged: (port: PortId) => boolean;
  /** Ports that this host has reported as its own and not yet given up. */
  readonly #held = new Map<PortId, NetworkId>();
  #adopted = false;

  constructor(store: Store, topology: Topology, host: string, isPlugged: (port: PortId) => boolean) {
    this.#isPlugged = isPlugged;
    this.#store = store;
    this.#topology = topology;
    this.#host = host;
  }

  /**
   * `ready`: the ports whose flows the switch has acknowledged. Rejects when the store does; what was not
   * written then is written by the next report.
   */
  async report(ready: ReadonlySet<PortId>): Promise<void> {
    if (!this.#adopted) this.#adopt();
    const changes: Promise<void>[] = [];
    for (const port of ready) {
      const network = this.#topology.networkOf(port);
      if (network !== undefined) changes.push(this.#hold(port, network));
    }
    for (const [port, network] of this.#held)
      if (!ready.has(port) && !this.#isUnknown(port)) changes.push(this.#release(port, network));
    const outcomes = await Promise.allSettled(changes);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason as Error;
  }

  /** Plugged but not followed: that says nothing about the port. */
  #isUnknown(port: PortId): boolean {
    return this.#isPlugged(port) && this.#topology.lookUpPort(port).state === 'not-followed';
  }

  /** Takes over what an earlier agent of this host left, so that ports which went meanwhile are marked. */
  #adopt(): void {
    this.#adopted = true;
    for (const [port, network, binding] of this.#topology.bindings())
      if (binding.host === this.#host && binding.status === 'ACTIVE') this.#held.set(port, network);
  }

  async #hold(port: PortId, network: NetworkId): Promise<void> {
    const present = this.#topology.bindingOf(port);
    // While a guest moves it is plugged at two hosts. Where nobody has asked for either, the later one has the port: to
    // take it back because it is still plugged here would begin a quarrel without end.
    const asked = this.#topology.requestedHost(port) === this.#host;
    const lost =
      !asked && this.#held.has(port) && present?.status === 'ACTIVE' && present.host !== this.#host;
    if (!lost && !(present?.host === this.#host && present.status === 'ACTIVE')) {
      const record: BindingRecord = { host: this.#host, status: 'ACTIVE' };
      await this.#write(port, network, record, []);
    }
    this.#held.set(port, network);
  }

  /** What is given up is only one's own: another host may have taken the port since this one last heard of it. */
  async #release(port: PortId, network: NetworkId): Promise<void> {
    const key = keys.binding(network, port);
    const entry = await this.#store.get(key);
    if (entry !== null && entry.value === JSON.stringify({ host: this.#host, status: 'ACTIVE' })) {
      const unchanged: Condition = { key, is: 'unchanged', modRevision: entry.modRevision };
      await this.#write(port, network, { host: this.#host, status: 'DOWN' }, [unchanged]);
    }
    this.#held.delete(port);
  }

  async #write(
    port: PortId,
    network: NetworkId,
    record: BindingRecord,
    more: readonly Condition[],
  ): Promise<void> {
    const conditions: Condition[] = [{ key: keys.port(network, port), is: 'present' }, ...more];
    const writes: Write[] = [{ op: 'put', key: keys.binding(network, port), value: JSON.stringify(record) }];
    await this.#store.txn(conditions, writes);
  }
}
