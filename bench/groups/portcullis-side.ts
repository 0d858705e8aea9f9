/**
 * Portcullis' side of the group figures: a durable store and an agent in this process, and a switch with
 * dummy ports of its own. In one process the time of an acknowledgement is known to the microsecond.
 */
import { pino } from 'pino';
import { Agent } from '../../src/agent/agent.ts';
import { keys } from '../../src/model/keys.ts';
import { EmbeddedStore } from '../../src/store/embedded.ts';
import { type Switch, startSwitch } from '../../test/lib/switch.ts';
import { until } from '../../test/lib/wait.ts';
import { bridge, type DataDirectory, host, makeDataDirectory } from '../controller.ts';
import { cpuSeconds } from '../process-usage.ts';
import { memberWrite, worldWrites, writeAll } from './records.ts';
import type { Side } from './side.ts';
import type { GroupPort, GroupWorld } from './world.ts';

const silent = pino({ level: 'silent' });

/** A switch with the world's local ports plugged. */
export async function plugged(world: GroupWorld): Promise<Switch> {
  const at = await startSwitch({ dummy: true });
  try {
    await at.addBridge(bridge);
    await at.addDummyPorts(
      bridge,
      world.locals.map(({ id }, n) => ({ name: `p${n}`, externalIds: { 'iface-id': id } })),
    );
    return at;
  } catch (error) {
    await at.stop();
    throw error;
  }
}

export async function flowCount(at: Switch): Promise<number> {
  return Number(/flow_count=(\d+)/.exec(await at.ofctl('dump-aggregate', bridge))?.[1]);
}

export class PortcullisSide implements Side {
  readonly peer = 'portcullis';
  readonly at: Switch;
  readonly #data: DataDirectory;
  readonly #store: EmbeddedStore;
  readonly #agent: Agent;

  constructor(at: Switch, data: DataDirectory, store: EmbeddedStore) {
    this.at = at;
    this.#data = data;
    this.#store = store;
    this.#agent = new Agent({
      store,
      log: silent,
      host,
      ovsdb: at.dbTarget,
      openflow: at.mgmt(bridge),
      rundir: at.dir,
      bridge,
      datapathType: at.datapathType,
    });
  }

  /** Resolves when the switch holds the world, and the store has a binding of all plugged ports. */
  async start(ports: number): Promise<void> {
    await this.#agent.start();
    await this.#agent.firstApplied;
    const bound = async () => (await this.#store.snapshot([keys.binding.prefix])).entries.length === ports;
    await until(bound, { timeout: 60_000, what: 'all ports are bound' });
  }

  async setMembers(members: readonly GroupPort[], belong: boolean): Promise<void> {
    await this.#store.txn(
      [],
      members.map((member) => memberWrite(member, belong)),
    );
  }

  flows(): Promise<number> {
    return flowCount(this.at);
  }

  cpu(): number {
    return cpuSeconds(process.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.stop();
    await this.#store.close();
    await this.at.stop();
    await this.#data[Symbol.asyncDispose]();
  }
}

export async function startPortcullis(world: GroupWorld): Promise<PortcullisSide> {
  const data = await makeDataDirectory();
  const store = await EmbeddedStore.open(data.path);
  await writeAll(store, worldWrites(world));
  const side = new PortcullisSide(await plugged(world), data, store);
  await side.start(world.locals.length);
  return side;
}
