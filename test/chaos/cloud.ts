/**
 * A cloud of many processes: three members of etcd, two servers, hosts with a switch and an agent each, and hosts without
 * a switch. Each server and agent reaches etcd by lines of its own, which a test can cut and delay.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scopeDepth } from '../../src/model/scopes.ts';
import type { PortId } from '../../src/policy/world.ts';
import { EtcdStore } from '../../src/store/etcd/etcd-store.ts';
import { type Etcd, freePorts, startEtcd } from '../lib/etcd.ts';
import { lineTo, type TcpLine } from '../lib/line.ts';
import { RestartableProcess } from '../lib/restartable-process.ts';
import { StoreSideAgent } from '../lib/store-side-agent.ts';
import { type Switch, startSwitch } from '../lib/switch.ts';
import { build } from '../lib/up-process.ts';
import { until } from '../lib/wait.ts';

/** Seconds of `GET /v1/sync`. */
const syncTimeout = 60;
export const bridge = 'br-int';

/** A process with its lines to the members of etcd. */
export interface Connected {
  readonly process: RestartableProcess;
  readonly lines: readonly TcpLine[];
}

export interface Server extends Connected {
  readonly endpoint: string;
}

export interface Host extends Connected {
  readonly name: string;
  readonly at: Switch;
}

export class Cloud {
  readonly etcd: Etcd;
  readonly servers: Server[] = [];
  readonly hosts: Host[] = [];
  readonly storeSide: StoreSideAgent[] = [];
  /** The test's own way to the store, without lines. */
  store: EtcdStore;
  readonly dir: string;
  readonly #way: 'lines' | 'direct';
  readonly #closing: (() => Promise<unknown> | void)[] = [];

  private constructor(etcd: Etcd, store: EtcdStore, dir: string, way: 'lines' | 'direct') {
    this.#way = way;
    this.etcd = etcd;
    this.store = store;
    this.dir = dir;
  }

  /** `direct`: without lines, so that times are those of the parts. */
  static async start(hosts: number, way: 'lines' | 'direct' = 'lines'): Promise<Cloud> {
    await build();
    const dir = await mkdtemp(join(tmpdir(), 'portcullis-cloud-'));
    const etcd = await startEtcd(3);
    const { addresses } = etcd;
    const store = await EtcdStore.open({ addresses, depthOf: scopeDepth });
    const cloud = new Cloud(etcd, store, dir, way);
    try {
      const ports = await freePorts(2);
      for (const port of ports) await cloud.#addServer(port);
      await Promise.all(cloud.servers.map(({ process }) => process.ready()));
      await Promise.all(Array.from({ length: hosts }, (_, at) => cloud.#addHost(`h${at + 1}`)));
      await Promise.all(cloud.hosts.map(({ process }) => process.ready()));
      return cloud;
    } catch (error) {
      await cloud.stop();
      throw error;
    }
  }

  async #linesToEtcd(): Promise<TcpLine[]> {
    if (this.#way === 'direct') return [];
    const lines = await Promise.all(this.etcd.addresses.map(lineTo));
    this.#closing.push(() => lines.forEach((line) => line.close()));
    return lines;
  }

  async #run(name: string, words: readonly string[]): Promise<Connected> {
    const lines = await this.#linesToEtcd();
    const addresses = this.#way === 'direct' ? this.etcd.addresses : lines.map(({ address }) => address);
    const stores = `etcd://${addresses.join(',')}`;
    const all = [...words, '--store', stores, '--log-level', 'info'];
    const process = new RestartableProcess(name, all, join(this.dir, `${name}.log`));
    this.#closing.push(() => process.end('SIGKILL'));
    process.start();
    return { process, lines };
  }

  async #addServer(port: number): Promise<void> {
    const listen = `127.0.0.1:${port}`;
    const connected = await this.#run(`server-${port}`, ['server', '--listen', listen]);
    this.servers.push({ ...connected, endpoint: `http://${listen}` });
  }

  async #addHost(name: string): Promise<void> {
    const at = await startSwitch({ dummy: true });
    this.#closing.push(() => at.stop());
    await at.addBridge(bridge);
    const own = ['--host', name, '--ovsdb', at.dbTarget, '--bridge', bridge, '--datapath-type', 'netdev'];
    const vtep = ['--tunnel-ip', `192.0.2.${this.hosts.length + 1}`];
    this.hosts.push({ ...(await this.#run(name, ['agent', ...own, ...vtep])), name, at });
  }

  /** A host without a switch, in this process. */
  async addStoreSide(host: string, plugged: readonly PortId[]): Promise<StoreSideAgent> {
    const { addresses } = this.etcd;
    const store = await EtcdStore.open({ addresses, depthOf: scopeDepth, client: `agents/${host}` });
    const agent = new StoreSideAgent({ store, host, plugged });
    this.#closing.push(async () => {
      await agent.stop();
      await store.close();
    });
    await agent.start();
    this.storeSide.push(agent);
    return agent;
  }

  /** Another agent with a host's name and switch. Not started. */
  twin({ name, process }: Host): RestartableProcess {
    const twin = new RestartableProcess(`${name} again`, process.words, join(this.dir, `${name}-again.log`));
    this.#closing.push(() => twin.end('SIGKILL'));
    return twin;
  }

  /** The test's own store, after etcd was replaced. */
  async reopenStore(): Promise<void> {
    await this.store.close();
    this.store = await EtcdStore.open({ addresses: this.etcd.addresses, depthOf: scopeDepth });
  }

  /** Flows of a host's switch without counters and ages, sorted. */
  async flows({ at }: Host): Promise<readonly string[]> {
    const text = await at.ofctl('--no-stats', 'dump-flows', at.mgmt(bridge));
    const lines = text.split('\n').filter((line) => line.includes('actions='));
    return lines.map((line) => line.trim()).sort();
  }

  /** Resolves when every host lives and has on its switch what the store has now. */
  async synced(): Promise<void> {
    const { endpoint } = this.servers[0] ?? { endpoint: '' };
    const all = this.hosts.length + this.storeSide.length;
    await until(
      async () => {
        const answer = await fetch(`${endpoint}/v1/sync?timeout=${syncTimeout}`);
        const { hosts } = (await answer.json()) as { readonly hosts?: readonly string[] };
        return answer.status === 200 && hosts?.length === all;
      },
      { timeout: 90_000, interval: 200, what: `${all} hosts are in sync` },
    );
  }

  get complaints(): readonly string[] {
    return [...this.servers, ...this.hosts].flatMap(({ process }) => process.complaints);
  }

  async stop(): Promise<void> {
    for (const close of this.#closing.toReversed()) await close();
    await this.store.close();
    await this.etcd.stop();
    await rm(this.dir, { recursive: true, force: true });
  }
}
