/** Hosts for tests, by what their agents say in the store. Must not be used outside tests. */
import { keys } from '../../model/keys.ts';
import type { Json, TestClient, UnderTest } from './api-under-test.ts';

/** How ports are plugged at the hosts `one` and `two`, and at none. */
export const atOne = {
  vif_type: 'ovs',
  vif_details: {
    port_filter: true,
    ovs_hybrid_plug: false,
    connectivity: 'l2',
    bridge_name: 'br-one',
    datapath_type: 'netdev',
  },
};
export const atTwo = {
  vif_type: 'ovs',
  vif_details: { ...atOne.vif_details, bridge_name: 'br-two', datapath_type: 'system' },
};
export const nowhere = { vif_type: 'unbound', vif_details: {} };

export class Hosts {
  readonly #under: UnderTest;
  readonly #client: TestClient;

  private constructor(under: UnderTest, client: TestClient) {
    this.#under = under;
    this.#client = client;
  }

  static async oneAndTwo(under: UnderTest, client: TestClient): Promise<Hosts> {
    const hosts = new Hosts(under, client);
    await hosts.is('one', { bridge: 'br-one', datapath_type: 'netdev' });
    await hosts.is('two', { bridge: 'br-two', datapath_type: 'system' });
    return hosts;
  }

  /** Null: its agent has stopped in good order. */
  async is(name: string, of: Json | null): Promise<void> {
    await this.#write(keys.host(name), of === null ? null : { name, heartbeat: Date.now(), ttl: 1e6, ...of });
    if (of?.['datapath_type'] === undefined) return;
    const { bridge, datapath_type } = of;
    await this.#write(keys.bridge(name), { bridge, datapath_type });
  }

  /** Hosts that live and have met their bridges. */
  async live(...names: readonly string[]): Promise<void> {
    for (const name of names) await this.is(name, { bridge: `br-${name}`, datapath_type: 'netdev' });
  }

  /** What an agent says of the port. */
  async hold(network: string, port: string, host: string, status: 'ACTIVE' | 'DOWN'): Promise<void> {
    await this.#write(keys.binding(network, port), { host, status });
  }

  async #write(key: string, record: Json | null): Promise<void> {
    await this.#under.store.txn(
      [],
      [record === null ? { op: 'delete', key } : { op: 'put', key, value: JSON.stringify(record) }],
    );
    // The server has heard of it.
    await this.#client.call('GET', '/v1/sync?timeout=0.01');
  }
}
