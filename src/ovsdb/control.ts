/**
 * ovs-vswitchd's control socket (ovs-appctl(8)): commands with text arguments that answer text, over one kept
 * JSON-RPC connection, so that thousands of them a second cost no process. Finds the socket of the process
 * that is alive; a new one after a restart.
 */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Fault, reasonOf } from '../base/errors.ts';
import { datapathTypeOf } from './datapath-type.ts';
import { type CallOptions, peerProtocol, Rpc } from './rpc.ts';

export type ControlFault =
  | { readonly code: 'NotRunning'; readonly rundir: string }
  /** It was closed by its owner. */
  | { readonly code: 'Closed' };

export interface ControlOptions {
  /** The directory of the pidfile and the sockets; `/var/run/openvswitch` by default. */
  readonly rundir?: string;
  /** Ends the connection. */
  readonly signal?: AbortSignal;
}

/** The process id of the ovs-vswitchd that runs in `rundir`. Rejects with `NotRunning`. */
export async function findSwitchProcess(rundir = '/var/run/openvswitch'): Promise<number> {
  const notRunning = (reason: string) =>
    new Fault<ControlFault>({ code: 'NotRunning', rundir }, `no ovs-vswitchd runs in ${rundir}: ${reason}`);
  try {
    const pid = (await readFile(join(rundir, 'ovs-vswitchd.pid'), 'utf8')).trim();
    if (!/^\d+$/.test(pid)) throw new Error('the pidfile holds no number');
    // Process ids are used again: the number counts only while it names an ovs-vswitchd.
    const [program = ''] = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    if (basename(program) !== 'ovs-vswitchd') throw new Error(`process ${pid} is another`);
    return Number(pid);
  } catch (error) {
    throw notRunning(reasonOf(error));
  }
}

/** The path of the socket that the running ovs-vswitchd of `rundir` listens on. Rejects with `NotRunning`. */
export async function findControlSocket(rundir = '/var/run/openvswitch'): Promise<string> {
  return join(rundir, `ovs-vswitchd.${await findSwitchProcess(rundir)}.ctl`);
}

/** The name that a datapath of a bridge's `datapath_type` has in commands. */
const datapathOf = (type: string): string => {
  const known = datapathTypeOf(type);
  return `${known}@ovs-${known}`;
};

export class Control {
  readonly #options: ControlOptions;
  #connection: Promise<Rpc> | null = null;
  #closed = false;

  constructor(options: ControlOptions = {}) {
    this.#options = options;
  }

  /**
   * Runs a command and resolves with its output. Rejects with `NotRunning`, `Closed`, an RpcFault, and in particular
   * `Refused` with the switch's text when the command failed. Commands of one Control run in order.
   */
  async call(method: string, args: readonly string[] = [], options: CallOptions = {}): Promise<string> {
    const rpc = await this.#connected();
    const answer = await rpc.call(method, args, { timeout: 30_000, ...options });
    if (typeof answer !== 'string') throw peerProtocol(rpc.target, `${method} answered no text`);
    return answer;
  }

  /** Ends it for good: a question asked afterwards opens no connection that nobody would close. */
  close(): void {
    this.#closed = true;
    const connection = this.#connection;
    this.#connection = null;
    connection?.then(
      (rpc) => rpc.close(),
      () => undefined,
    );
  }

  /** The path of a packet: `flow` in ovs-fields(7)'s notation, with `in_port`. */
  trace(bridge: string, flow: string, options?: CallOptions): Promise<string> {
    return this.call('ofproto/trace', [bridge, flow], options);
  }

  /**
   * Live connections, one a line; of one zone where given. `datapathType` as bridges have it must be told where a
   * switch has datapaths of several types.
   */
  dumpConntrack(zone?: number, datapathType?: string, options?: CallOptions): Promise<string> {
    const datapath = datapathType === undefined ? [] : [datapathOf(datapathType)];
    const filter = zone === undefined ? [] : [`zone=${zone}`];
    return this.call('dpctl/dump-conntrack', [...datapath, ...filter], options);
  }

  /** Connections of the userspace datapath, and how many it can have. */
  async connectionCounts(
    datapathType: string,
  ): Promise<{ readonly connections: number; readonly max: number }> {
    const datapath = [datapathOf(datapathType)];
    const connections = Number(await this.call('dpctl/ct-get-nconns', datapath));
    return { connections, max: Number(await this.call('dpctl/ct-get-maxconns', datapath)) };
  }

  /** How many connections conntrack zones may have, by zone; zones without a limit are not there. */
  async zoneLimits(datapathType: string): Promise<ReadonlyMap<number, number>> {
    const text = await this.call('dpctl/ct-get-limits', [datapathOf(datapathType)]);
    return new Map(
      [...text.matchAll(/^zone=(\d+),limit=(\d+)/gm)].map(([, zone, limit]) => [Number(zone), Number(limit)]),
    );
  }

  async setZoneLimits(zones: readonly number[], limit: number, datapathType: string): Promise<void> {
    const limits = zones.map((zone) => `zone=${zone},limit=${limit}`);
    if (limits.length > 0) await this.call('dpctl/ct-set-limits', [datapathOf(datapathType), ...limits]);
  }

  async deleteZoneLimits(zones: readonly number[], datapathType: string): Promise<void> {
    if (zones.length > 0)
      await this.call('dpctl/ct-del-limits', [datapathOf(datapathType), `zone=${zones.join(',')}`]);
  }

  /**
   * From how many bytes on the userspace datapath puts a datagram's pieces together, the last one aside. It knows the
   * setting until it ends, and refuses less than 400.
   */
  async setSmallestPiece(family: 4 | 6, bytes: number, datapathType: string): Promise<void> {
    await this.call('dpctl/ipf-set-min-frag', [datapathOf(datapathType), `v${family}`, String(bytes)]);
  }

  /** Megaflows of the datapath, one a line, with all that `-m` adds; its type is told as for connections. */
  dumpDatapathFlows(datapathType?: string, options?: CallOptions): Promise<string> {
    return this.call(
      'dpctl/dump-flows',
      ['-m', ...(datapathType === undefined ? [] : [datapathOf(datapathType)])],
      options,
    );
  }

  /** What a datapath has done since it began, in the switch's own words. */
  showDatapath(datapathType: string, options?: CallOptions): Promise<string> {
    return this.call('dpctl/show', [datapathOf(datapathType)], options);
  }

  /** What the datapath under a bridge can do, by the switch's own names: `Yes`, `No` or a number as text. */
  async datapathFeatures(bridge: string, options?: CallOptions): Promise<ReadonlyMap<string, string>> {
    const text = await this.call('dpif/show-dp-features', [bridge], options);
    return new Map(
      text.split('\n').flatMap((line) => {
        const colon = line.indexOf(':');
        return colon < 0 ? [] : [[line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const];
      }),
    );
  }

  /**
   * Puts frames into a dummy port's queue, in order. The queue holds 100; the switch drops the rest without a
   * word, and takes them out later.
   */
  async receive(port: string, frames: readonly Uint8Array[], options?: CallOptions): Promise<void> {
    if (frames.length === 0) return;
    const packets = frames.map((frame) => Buffer.from(frame).toString('hex'));
    await this.call('netdev-dummy/receive', [port, ...packets], options);
  }

  async #connected(): Promise<Rpc> {
    if (this.#closed) throw closed();
    const held = this.#connection;
    if (held) {
      const rpc = await held.catch(() => null);
      if (rpc?.open) return rpc;
      if (this.#closed) throw closed();
      if (this.#connection === held) this.#connection = null;
    }
    this.#connection ??= this.#connect();
    return this.#connection;
  }

  async #connect(): Promise<Rpc> {
    const path = await findControlSocket(this.#options.rundir);
    // A command may keep the switch busy for long and echo is unknown to it, hence no probes.
    return Rpc.connect({ target: `unix:${path}`, signal: this.#options.signal, probeInterval: 0 });
  }
}

const closed = (): Fault<ControlFault> =>
  new Fault({ code: 'Closed' }, 'the control connection was closed by this side');
