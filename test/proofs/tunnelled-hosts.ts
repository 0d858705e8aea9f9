/**
 * One world on three hosts: private switches with tunnels and a physical network between them, each with the flows for its
 * own ports. Puts frames into a port of one, or onto the physical network, and tells which ports of all got them.
 */
import type { TunnelType } from '../../src/model/vtep.ts';
import { formatIp } from '../../src/net/cidr.ts';
import { type TableName, tables } from '../../src/pipeline/tables.ts';
import { minFragmentSize } from '../../src/policy/datagram.ts';
import type { PortId, World } from '../../src/policy/world.ts';
import { ip } from '../lib/frames.ts';
import { InstalledWorld } from '../lib/installed-world.ts';
import type { PcapTail } from '../lib/pcap.ts';
import { type Switch, startSwitch } from '../lib/switch.ts';
import {
  type Endpoint,
  joinPhysical,
  joinUnderlay,
  linkOf,
  neighbour,
  underlaySettled,
} from '../lib/underlay.ts';
import { physicalNetwork } from './carriages.ts';
import { lastingText, type Observation, type Step } from './driver.ts';
import { generous, host } from './worlds.ts';

export const hostNames = [host, 'there', 'third'] as const;
export type HostName = (typeof hostNames)[number];

const bridge = 'proof';
const sockets = 8;
const tunnelOfport = 100;
const patchOfport = 101;

interface Socket {
  readonly name: string;
  readonly ofport: number;
  readonly tail: PcapTail;
}

interface Side {
  readonly at: Switch;
  readonly installed: InstalledWorld;
  readonly sockets: readonly Socket[];
}

/** The socket of a port on the host that it may move to. */
export const arrivalSocket = (port: PortId): PortId => `${port} arriving` as PortId;

export type TextOf = (frame: Buffer) => string;

export interface Tunnelling {
  readonly type: TunnelType;
  /** Of the underlay. */
  readonly family: 4 | 6;
}

const addressesOf = (family: 4 | 6) =>
  hostNames.map((_, at) => ip(`${family === 4 ? '192.0.2.' : '2001:db8:f::'}${at + 1}`));

export class TunnelledHosts {
  readonly #tunnelling: Tunnelling;
  readonly #sides: ReadonlyMap<string, Side>;
  readonly #ends: readonly Endpoint[];
  readonly #textOf: TextOf;
  /** Frames that were injected into a link. */
  #forged = 0;
  #plugged: ReadonlyMap<PortId, readonly [HostName, Socket]> = new Map();
  #last: ReadonlyMap<PortId, readonly Buffer[]> = new Map();
  /** What a neighbour on the physical network heard. */
  readonly #outside: PcapTail;

  private constructor(
    tunnelling: Tunnelling,
    sides: ReadonlyMap<string, Side>,
    ends: readonly Endpoint[],
    textOf: TextOf,
  ) {
    this.#textOf = textOf;
    this.#tunnelling = tunnelling;
    this.#sides = sides;
    this.#ends = ends;
    this.#outside = this.switchAt(host).capture(neighbour);
  }

  /** `textOf`: what of a frame stays the same on its way; all of it when left out. */
  static async start(tunnelling: Tunnelling, textOf: TextOf = lastingText): Promise<TunnelledHosts> {
    const switches: Switch[] = [];
    try {
      const sides = new Map<string, Side>();
      for (const name of hostNames) {
        const at = await startSwitch({ dummy: true, isolated: true });
        switches.push(at);
        sides.set(name, await sideOf(at, name));
      }
      const ends = addressesOf(tunnelling.family).map((address, n): Endpoint => {
        const at = switches[n];
        if (at === undefined) throw new Error('a switch for each address');
        return { at, address };
      });
      await joinUnderlay(ends);
      await joinPhysical(ends, bridge, patchOfport);
      for (const { at, address } of ends) {
        const options = [
          'remote_ip=flow',
          'key=flow',
          `local_ip="${formatIp(address.family, address.bits)}"`,
        ];
        await at.vsctl(
          'add-port',
          bridge,
          'tunnel',
          '--',
          'set',
          'Interface',
          'tunnel',
          `type=${tunnelling.type}`,
          `ofport_request=${tunnelOfport}`,
          ...options.map((option) => `options:${option}`),
        );
      }
      return new TunnelledHosts(tunnelling, sides, ends, textOf);
    } catch (error) {
      for (const at of switches) await at.stop();
      throw error;
    }
  }

  #side(name: string): Side {
    const side = this.#sides.get(name);
    if (side === undefined) throw new Error(`no host ${name}`);
    return side;
  }

  switchAt(name: HostName): Switch {
    return this.#side(name).at;
  }

  flows(name: HostName, table: TableName): Promise<string> {
    const { at } = this.#side(name);
    return at.ofctl('--names', 'dump-flows', at.mgmt(bridge), `table=${tables[table].id}`);
  }

  /**
   * Places the world's ports on their hosts and gives each host its endpoint, beside those that the world has. No connection
   * of an earlier world is left.
   */
  async enter(world: World): Promise<World> {
    const { type, family } = this.#tunnelling;
    const addresses = addressesOf(family);
    const vteps = new Map(
      hostNames.map(
        (name, at) => [name as string, { address: addresses[at] ?? ip('::'), types: [type] }] as const,
      ),
    );
    const bridged = new Map(hostNames.map((name) => [name as string, new Set([physicalNetwork])] as const));
    const entered: World = { ...world, vteps: new Map([...world.vteps, ...vteps]), bridged };
    const plugged = new Map<PortId, readonly [HostName, Socket]>();
    for (const name of hostNames) {
      const { installed, at, sockets: free } = this.#side(name);
      const ofports = new Map<PortId, number>();
      const locals = [...world.ports.values()].filter(
        (port) => port.host === name || port.arrival?.host === name,
      );
      for (const [place, port] of locals.entries()) {
        const { id } = port;
        const socket = free[place];
        if (socket === undefined)
          throw new Error(`a world of ${locals.length} ports is too large for a host`);
        plugged.set(port.host === name ? id : arrivalSocket(id), [name, socket]);
        ofports.set(id, socket.ofport);
      }
      const patches = new Map([[physicalNetwork, patchOfport]]);
      await installed.install(entered, ofports, new Map([[type, tunnelOfport]]), patches);
      await at.appctl('revalidator/purge');
      await at.appctl('dpctl/flush-conntrack');
    }
    this.#plugged = plugged;
    for (const [, { sockets: all }] of this.#sides) for (const { tail } of all) tail.take();
    this.#outside.take();
    return entered;
  }

  /** One step after the other: each sees the connections that those before have made. */
  async run(steps: readonly Step[]): Promise<Observation[]> {
    const observations: Observation[] = [];
    for (const step of steps) observations.push(...(await this.runTogether([step])));
    return observations;
  }

  /** Steps of one sender at once, of which no two have equal frames. Answers go to the first. */
  async runTogether(steps: readonly Step[]): Promise<Observation[]> {
    const sender = steps[0]?.sender;
    const [name, socket] = (sender === undefined ? undefined : this.#plugged.get(sender)) ?? [];
    if (name !== undefined && socket !== undefined) {
      const { at, installed } = this.#side(name);
      await at.inject(
        socket.name,
        steps.flatMap(({ frames }) => frames),
      );
      await installed.answered();
    }
    return this.settled(steps, sender);
  }

  /** Puts a frame onto the underlay for the first host, as another host or anybody else could. */
  async forge(frame: Buffer): Promise<void> {
    this.#forged += 1;
    await this.switchAt(host).inject(linkOf(0, 1), [frame]);
  }

  /** Ports that got anything until the underlay was quiet. */
  async received(): Promise<PortId[]> {
    await underlaySettled(this.#ends, this.#forged);
    return [...this.#plugged].filter(([, [, { tail }]]) => tail.take().length > 0).map(([id]) => id);
  }

  /** What a port got at the last settling. */
  lastFrames(port: PortId): readonly Buffer[] {
    return this.#last.get(port) ?? [];
  }

  /** Frames of a physical neighbour, and what ports of the cloud got of `guests`, the same without tags. */
  async fromOutside(frames: readonly Buffer[], guests: readonly Buffer[]): Promise<Observation | undefined> {
    await this.switchAt(host).inject(neighbour, frames);
    const [seen] = await this.settled([{ frames: guests }]);
    return seen;
  }

  /** What the neighbour heard since this was asked last. */
  heardOutside(): readonly Buffer[] {
    return this.#outside.take();
  }

  /** What ports got until the underlay was quiet. */
  async settled(steps: readonly Pick<Step, 'frames'>[], sender?: PortId): Promise<Observation[]> {
    await underlaySettled(this.#ends, this.#forged);
    const got = new Map<PortId, Buffer[]>();
    for (const [id, [, { tail }]] of this.#plugged) got.set(id, tail.take());
    this.#last = got;
    const answers = sender === undefined ? [] : (got.get(sender) ?? []);
    return steps.map(({ frames }, at) => {
      const delivered = new Set<PortId>();
      const partial = new Set<PortId>();
      for (const [id, seen] of got) {
        if (id === sender) continue;
        const texts = seen.map(this.#textOf);
        const counts = frames.map((frame) => texts.filter((text) => text === this.#textOf(frame)).length);
        if (counts.some((count) => count > 1))
          throw new Error(`${id} got a frame ${Math.max(...counts)} times`);
        const arrived = counts.filter((count) => count === 1).length;
        if (arrived === frames.length) delivered.add(id);
        else if (arrived > 0) partial.add(id);
      }
      return { delivered, partial, answers: at === 0 ? answers : [] };
    });
  }

  async stop(): Promise<void> {
    for (const [, { installed, at }] of this.#sides) {
      await installed.close();
      await at.stop();
    }
  }
}

async function sideOf(at: Switch, name: string): Promise<Side> {
  await at.addBridge(bridge);
  for (const family of [4, 6] as const) await at.control.setMinFragmentSize(family, minFragmentSize, 'dummy');
  // Incomplete datagrams stay for a while.
  await at.appctl('dpctl/ipf-set-max-nfrags', '5000');
  const ports = Array.from({ length: sockets }, (_, i) => ({ name: `dummy${i + 1}`, ofport: i + 1 }));
  await at.addDummyPorts(bridge, ports);
  const installed = new InstalledWorld(at.mgmt(bridge), 'fail', { host: name });
  installed.pipeline.facts.qosPolicies.set(generous.id, generous);
  return { at, installed, sockets: ports.map((port) => ({ ...port, tail: at.capture(port.name) })) };
}
