/**
 * Puts frames through a real ovs-vswitchd with dummy ports and tells which ports got them. What turns a world into
 * flows is handed in, so that the same driver measures any of it.
 */
import { bug } from '../../src/base/errors.ts';
import { parseFrame } from '../../src/net/packet/frame.ts';
import { minFragmentSize } from '../../src/policy/datagram.ts';
import { isDhcpFromClient } from '../../src/policy/packet.ts';
import type { PortId, World } from '../../src/policy/world.ts';
import type { PcapTail } from '../lib/pcap.ts';
import { type Switch, startSwitch } from '../lib/switch.ts';
import { host } from './worlds.ts';

export interface Installation {
  readonly at: Switch;
  readonly bridge: string;
  readonly world: World;
  /** OpenFlow port numbers of the world's local ports. */
  readonly ports: ReadonlyMap<PortId, number>;
}

/** Resolves when the switch has acknowledged the world's flows and has forgotten those of the world before. */
export type Install = (installation: Installation) => Promise<void>;

export interface Step {
  readonly sender: PortId;
  /** One frame, or all fragments of one datagram. */
  readonly frames: readonly Buffer[];
}

export interface Observation {
  /** Ports that got every frame of the step. Pieces of a datagram alone do not count. */
  readonly delivered: ReadonlySet<PortId>;
  /** Ports that got some of its frames but not all. */
  readonly partial: ReadonlySet<PortId>;
  /** What came out of the sender's own port: the switch's answers, or an echo. */
  readonly answers: readonly Buffer[];
}

const bridge = 'proof';
const nobody: Observation = { delivered: new Set(), partial: new Set(), answers: [] };

interface Socket {
  readonly name: string;
  readonly ofport: number;
  readonly tail: PcapTail;
}

/** What of a frame stays the same on its way: the switch takes DHCP requests of isolated networks to the server's MAC. */
export function lastingText(frame: Buffer): string {
  const ip = parseFrame(frame)?.ip ?? null;
  const lasting = ip !== null && isDhcpFromClient(ip) ? frame.subarray(6) : frame;
  return lasting.toString('latin1');
}

export class Driver {
  readonly at: Switch;
  readonly #install: Install;
  readonly #sockets: readonly Socket[];
  #plugged: ReadonlyMap<PortId, Socket> = new Map();

  constructor(at: Switch, install: Install, sockets: readonly Socket[]) {
    this.at = at;
    this.#install = install;
    this.#sockets = sockets;
  }

  /** The ports that a world has on this host, in its order: the first is plugged into the first socket. */
  static localPorts(world: World): PortId[] {
    return [...world.ports.values()]
      .filter((port) => port.host === host || port.arrival?.host === host)
      .map((port) => port.id);
  }

  /** Another world: no connection of the one before is left. */
  async enter(world: World): Promise<void> {
    this.#plugged = new Map();
    await this.#hold(world, this.#install);
    await this.forget();
  }

  /** The same world after a change: ports that stay keep their sockets, and connections are `install`'s business. */
  async change(world: World, install: Install): Promise<void> {
    await this.#hold(world, install);
  }

  async #hold(world: World, install: Install): Promise<void> {
    const locals = Driver.localPorts(world);
    const kept = [...this.#plugged].filter(([id]) => locals.includes(id));
    const taken = new Set(kept.map(([, socket]) => socket));
    const free = this.#sockets.filter((socket) => !taken.has(socket));
    const plugged = new Map(kept);
    for (const id of locals)
      if (!plugged.has(id))
        plugged.set(id, free.shift() ?? bug(`a world of ${locals.length} local ports is too large`));
    this.#plugged = plugged;
    const ports = new Map([...plugged].map(([id, socket]) => [id, socket.ofport]));
    await install({ at: this.at, bridge, world, ports });
    // A barrier answers for the OpenFlow tables; the datapath's cache of them follows some milliseconds later.
    await this.at.appctl('revalidator/purge');
    for (const { tail } of this.#sockets) tail.take();
  }

  /** Drops all connections. */
  async forget(): Promise<void> {
    await this.at.appctl('dpctl/flush-conntrack');
  }

  /** One step after the other: each sees the connections that those before have made. */
  async run(steps: readonly Step[]): Promise<Observation[]> {
    const observations: Observation[] = [];
    for (const step of steps) {
      const socket = this.#plugged.get(step.sender);
      if (socket === undefined) {
        observations.push(nobody);
        continue;
      }
      await this.at.inject(socket.name, step.frames);
      observations.push(this.#observe([step])[0] ?? nobody);
    }
    return observations;
  }

  /**
   * Many steps of one sender at once, which is faster. Bytes identify what comes out, so a step whose
   * frame the batch has already begins the next batch. Answers cannot be identified and go to the batch's first step.
   */
  async runBatch(steps: readonly Step[]): Promise<Observation[]> {
    const observations: Observation[] = [];
    let batch: Step[] = [];
    let seen = new Set<string>();
    const end = async () => {
      const [first] = batch;
      const socket = first === undefined ? undefined : this.#plugged.get(first.sender);
      if (socket === undefined) observations.push(...batch.map(() => nobody));
      else {
        await this.at.inject(
          socket.name,
          batch.flatMap((step) => step.frames),
        );
        observations.push(...this.#observe(batch));
      }
      batch = [];
      seen = new Set();
    };
    for (const step of steps) {
      const keys = step.frames.map((frame) => frame.toString('latin1'));
      const mixes = batch[0] !== undefined && batch[0].sender !== step.sender;
      if (mixes || batch.length >= 256 || keys.some((key) => seen.has(key))) await end();
      batch.push(step);
      for (const key of keys) seen.add(key);
    }
    await end();
    return observations;
  }

  #observe(steps: readonly Step[]): Observation[] {
    const got = new Map<PortId, Set<string>>();
    let answers: Buffer[] = [];
    for (const [id, { tail }] of this.#plugged) {
      const frames = tail.take();
      if (id === steps[0]?.sender) answers = frames;
      else got.set(id, new Set(frames.map(lastingText)));
    }
    return steps.map((step, at) => {
      const delivered = new Set<PortId>();
      const partial = new Set<PortId>();
      for (const [id, frames] of got) {
        const arrived = step.frames.filter((frame) => frames.has(lastingText(frame))).length;
        if (arrived === step.frames.length) delivered.add(id);
        else if (arrived > 0) partial.add(id);
      }
      return { delivered, partial, answers: at === 0 ? answers : [] };
    });
  }

  async stop(): Promise<void> {
    await this.at.stop();
  }
}

/** A switch with `size` dummy ports on one bridge; `stop` ends it. */
export async function startDriver(install: Install, size = 8): Promise<Driver> {
  const at = await startSwitch({ dummy: true });
  try {
    await at.addBridge(bridge);
    for (const family of [4, 6] as const)
      await at.control.setMinFragmentSize(family, minFragmentSize, 'dummy');
    const ports = Array.from({ length: size }, (_, i) => ({ name: `dummy${i + 1}`, ofport: i + 1 }));
    await at.addDummyPorts(bridge, ports);
    return new Driver(
      at,
      install,
      ports.map(({ name, ofport }) => ({ name, ofport, tail: at.capture(name) })),
    );
  } catch (error) {
    await at.stop();
    throw error;
  }
}
