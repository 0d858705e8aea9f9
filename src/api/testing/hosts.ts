/** Hosts for tests, by what their agents say in the store. Must not be used outside tests. */
import { keys } from '../../model/keys.ts';
import type { Write } from '../../store/contract.ts';
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

const put = (key: string, record: Json): Write => ({ op: 'put', key, value: JSON.stringify(record) });

/** What an agent writes when it begins; of the bridge once it has met it. */
export function livingHost(name: string, of: Json = {}): readonly Write[] {
  const { bridge, datapath_type } = of;
  const met = datapath_type === undefined ? [] : [put(keys.bridge(name), { bridge, datapath_type })];
  const life = { op: 'put', key: keys.life(name), value: '' } as const;
  return [put(keys.host(name), { name, ...of }), life, ...met];
}

/** The end of a lease. */
export const death = (name: string): Write => ({ op: 'delete', key: keys.life(name) });

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

  /** The host begins a life. */
  async is(name: string, of: Json): Promise<void> {
    await this.#write(...livingHost(name, of));
  }

  async dies(name: string): Promise<void> {
    await this.#write(death(name));
  }

  /** Hosts that live and have met their bridges. */
  async live(...names: readonly string[]): Promise<void> {
    for (const name of names) await this.is(name, { bridge: `br-${name}`, datapath_type: 'netdev' });
  }

  /** What an agent says of the port. */
  async hold(network: string, port: string, host: string, status: 'ACTIVE' | 'DOWN'): Promise<void> {
    await this.#write(put(keys.binding(network, port), { host, status }));
  }

  async #write(...writes: readonly Write[]): Promise<void> {
    await this.#under.store.txn([], writes);
    // The server has heard of it.
    await this.#client.call('GET', '/v1/sync?timeout=0.01');
  }
}
