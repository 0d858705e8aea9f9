/**
 * ovs-vswitchd's control socket (ovs-appctl(8)): commands with text arguments and text answers. One JSON-RPC
 * connection is kept open, so thousands of commands a second start no process. Finds the socket of the
 * running process, and of the new one after a restart.
 */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Fault, reasonOf } from '../base/errors.ts';
import { datapathTypeOf } from './datapath-type.ts';
import { type CallOptions, peerProtocol, Rpc } from './rpc.ts';

export type ControlFault =
  | { readonly code: 'NotRunning'; readonly rundir: string }
  /** The owner closed the connection. */
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
    // The system reuses process ids: the number counts only while it names an ovs-vswitchd.
    const [program = ''] = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    if (basename(program) !== 'ovs-vswitchd') throw new Error(`process ${pid} is not ovs-vswitchd`);
    return Number(pid);
  } catch (error) {
    throw notRunning(reasonOf(error));
  }
}

/** The path of the socket that the running ovs-vswitchd of `rundir` listens on. Rejects with `NotRunning`. */
export async function findControlSocket(rundir = '/var/run/openvswitch'): Promise<string> {
  return join(rundir, `ovs-vswitchd.${await findSwitchProcess(rundir)}.ctl`);
}

/** The name of a datapath of this `datapath_type` in commands. */
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
   * Runs a command and resolves with its output. Rejects with `NotRunning`, `Closed` or an RpcFault. When the
   * command failed, the fault is `Refused` with the switch's text. Commands of one Control run in order.
   */
  async call(method: string, args: readonly string[] = [], options: CallOptions = {}): Promise<string> {
    const rpc = await this.#connected();
    const answer = await rpc.call(method, args, { timeout: 30_000, ...options });
    if (typeof answer !== 'string') throw peerProtocol(rpc.target, `${method} answered no text`);
    return answer;
  }

  /** Ends the connection. Later commands reject instead of opening a connection that nobody would close. */
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
   * Live connections, one a line, of one zone where given. `datapathType` is a bridge's value. It is needed
   * where a switch has datapaths of several types.
   */
  dumpConntrack(zone?: number, datapathType?: string, options?: CallOptions): Promise<string> {
    const datapath = datapathType === undefined ? [] : [datapathOf(datapathType)];
    const filter = zone === undefined ? [] : [`zone=${zone}`];
    return this.call('dpctl/dump-conntrack', [...datapath, ...filter], options);
  }

  /** The number of connections in the userspace datapath, and its maximum. */
  async connectionCounts(
    datapathType: string,
  ): Promise<{ readonly connections: number; readonly max: number }> {
    const datapath = [datapathOf(datapathType)];
    const connections = Number(await this.call('dpctl/ct-get-nconns', datapath));
    return { connections, max: Number(await this.call('dpctl/ct-get-maxconns', datapath)) };
  }

  /** The maximum number of connections by conntrack zone; zones without a limit are absent. */
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
   * Sets the smallest fragment that the userspace datapath accepts; a datagram's last fragment may be smaller.
   * The switch keeps the setting until it ends, and refuses values below 400.
   */
  async setMinFragmentSize(family: 4 | 6, bytes: number, datapathType: string): Promise<void> {
    await this.call('dpctl/ipf-set-min-frag', [datapathOf(datapathType), `v${family}`, String(bytes)]);
  }

  /** Megaflows of the datapath, one a line, with the details of `-m`. `datapathType` is needed as for connections. */
  dumpDatapathFlows(datapathType?: string, options?: CallOptions): Promise<string> {
    return this.call(
      'dpctl/dump-flows',
      ['-m', ...(datapathType === undefined ? [] : [datapathOf(datapathType)])],
      options,
    );
  }

  /** Statistics of a datapath since it began, as the switch prints them. */
  showDatapath(datapathType: string, options?: CallOptions): Promise<string> {
    return this.call('dpctl/show', [datapathOf(datapathType)], options);
  }

  /** The features of a bridge's datapath, by the switch's own names: `Yes`, `No` or a number as text. */
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
   * Puts frames into a dummy port's queue, in order. The queue holds 100 frames. The switch drops the rest
   * silently, and processes the queue later.
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
    // A command may keep the switch busy for long, and the switch does not know echo, so there are no probes.
    return Rpc.connect({ target: `unix:${path}`, signal: this.#options.signal, probeInterval: 0 });
  }
}

const closed = (): Fault<ControlFault> =>
  new Fault({ code: 'Closed' }, 'the control connection was closed by this side');
