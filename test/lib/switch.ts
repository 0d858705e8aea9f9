/**
 * A private Open vSwitch: its own directory, database, ovs-vswitchd and control socket. It ends, with
 * everything it made, when stopped or when the test process dies. Any number of them can run beside the
 * machine's own. With `dummy` it needs no root and no network device.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Control } from '../../src/ovsdb/index.ts';
import { run } from './command.ts';
import { PcapTail } from './pcap.ts';
import { Reaper } from './reaper.ts';
import { slowness, until } from './wait.ts';

export { PcapTail, readPcap } from './pcap.ts';

const datapathTypes = ['netdev', 'system'] as const;
type DatapathType = (typeof datapathTypes)[number];

function datapathTypeOf(text: string | undefined): DatapathType {
  const found = datapathTypes.find((type) => type === (text ?? 'netdev'));
  if (found === undefined)
    throw new Error(`PORTCULLIS_TEST_DATAPATH is ${datapathTypes.join(' or ')}, not ${text}`);
  return found;
}

/** The datapath of bridges with real devices: Open vSwitch's userspace datapath, or the kernel's. */
export const datapathType = datapathTypeOf(process.env.PORTCULLIS_TEST_DATAPATH);

/** That datapath's name in `dpctl` commands. */
export const datapath = `${datapathType}@ovs-${datapathType}`;

export interface SwitchOptions {
  /** Dummy ports and the dummy datapath only, for `addBridge` and `addDummyPorts`. */
  readonly dummy?: boolean;
  /** False starts the database alone. */
  readonly vswitchd?: boolean;
  /** A clustered database of one server, which remembers its last transactions. */
  readonly clustered?: boolean;
  /**
   * Runs ovs-vswitchd in a network namespace of its own. Datapaths have a device of a fixed name, so two of
   * them, the machine's own included, cannot share a namespace.
   */
  readonly isolated?: boolean;
}

export interface DummyPort {
  readonly name: string;
  readonly ofport?: number;
  readonly externalIds?: Readonly<Record<string, string>>;
}

/** A dummy port's queue holds 100 frames; further ones are lost. */
const dummyQueue = 90;

/** Frames that arrive on one dummy port. */
export interface Load {
  readonly port: string;
  readonly frames: readonly Uint8Array[];
}

type Daemon = 'ovsdb-server' | 'ovs-vswitchd';

/**
 * Whether the kernel has closed the process's files, with the lock of its pid file. A process that was killed loses its
 * command line first, while its threads still hold files.
 */
function hasEnded(pid: number): boolean {
  try {
    const state = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.[0];
    return state === 'Z' && readdirSync(`/proc/${pid}/task`).length === 1;
  } catch {
    return true;
  }
}

// The order follows dependence. A process counts as ours only while its command line names our directory.
const reaperScript = `
dir=$1; dummy=$2
taps=''
[ "$dummy" = no ] && taps=$(timeout 5 ovs-vsctl --no-wait --db="unix:$dir/db.sock" --bare --columns=name find Interface type=internal)
for name in ovs-vswitchd ovsdb-server; do
  pid=$(cat "$dir/$name.pid" 2>/dev/null) || continue
  tr '\\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$dir/$name.pid" || continue
  [ $name = ovs-vswitchd ] && timeout 5 ovs-appctl -t "$dir/$name.$pid.ctl" exit --cleanup >/dev/null 2>&1
  for i in 1 2 3 4 5 6 7 8 9 10; do
    tr '\\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$dir/$name.pid" || break
    [ $name = ovsdb-server ] || [ $i -gt 5 ] && kill -9 "$pid"
    sleep 0.1
  done
done
if [ -n "$3" ]; then
  for pid in $(ip netns pids "$3"); do kill -9 "$pid"; done
  ip netns del "$3"
  taps=''
fi
for tap in $taps; do [ -e "/sys/class/net/$tap/tun_flags" ] && ip link del "$tap"; done
rm -rf "$dir"
`;

export class Switch {
  readonly dir: string;
  /** The network namespace in which ovs-vswitchd looks for devices; null is the test's own. */
  readonly namespace: string | null;
  readonly #options: SwitchOptions;
  readonly #reaper: Reaper;
  readonly control: Control;
  #injecting: Promise<void> = Promise.resolve();

  constructor(dir: string, options: SwitchOptions) {
    this.dir = dir;
    this.#options = options;
    this.namespace = options.isolated === true ? `pcts-${basename(dir).split('-').at(-1)}` : null;
    this.#reaper = new Reaper(reaperScript, [dir, options.dummy ? 'yes' : 'no', this.namespace ?? '']);
    this.control = new Control({ rundir: dir });
  }

  /** Of the bridges that `addBridge` makes. */
  get datapathType(): 'dummy' | DatapathType {
    return this.#options.dummy ? 'dummy' : datapathType;
  }

  get dbTarget(): string {
    return `unix:${this.dir}/db.sock`;
  }

  /** The bridge's OpenFlow service, as a target. */
  mgmt(bridge: string): string {
    return `unix:${this.dir}/${bridge}.mgmt`;
  }

  get #env(): NodeJS.ProcessEnv {
    return { ...process.env, OVS_RUNDIR: this.dir, OVS_LOGDIR: this.dir, OVS_DBDIR: this.dir };
  }

  vsctl(...args: string[]): Promise<string> {
    return run('ovs-vsctl', [`--db=${this.dbTarget}`, `--timeout=${30 * slowness}`, ...args], {
      env: this.#env,
    });
  }

  /** ovs-ofctl with OpenFlow 1.5 and the private sockets: `ofctl('dump-flows', 'br0')`. */
  ofctl(...args: string[]): Promise<string> {
    return run('ovs-ofctl', ['-O', 'OpenFlow15', ...args], { env: this.#env });
  }

  appctl(command: string, ...args: string[]): Promise<string> {
    return this.control.call(command, args);
  }

  /** The process id of a running daemon, else null. */
  pidOf(daemon: Daemon): number | null {
    try {
      const pid = Number(readFileSync(join(this.dir, `${daemon}.pid`), 'utf8'));
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${this.dir}/${daemon}.pid`) ? pid : null;
    } catch {
      return null;
    }
  }

  /** The command that sees the switch's devices. Mounts are kept, and with them the names of namespaces. */
  entered(program: string, ...args: readonly string[]): [string, ...string[]] {
    if (this.namespace === null) return [program, ...args];
    return ['nsenter', `--net=/run/netns/${this.namespace}`, program, ...args];
  }

  /** Makes the namespace, if the switch has one of its own. */
  async makeNamespace(): Promise<void> {
    if (this.namespace === null) return;
    await run('ip', ['netns', 'add', this.namespace]);
    await run('ip', ['-n', this.namespace, 'link', 'set', 'lo', 'up']);
  }

  async startDatabase(): Promise<void> {
    const { dir } = this;
    const args = [`${dir}/conf.db`, `--remote=punix:${dir}/db.sock`, '--no-chdir'];
    await this.#startDaemon('ovsdb-server', args);
  }

  async startVswitchd(): Promise<void> {
    const dummy = this.#options.dummy ? ['--enable-dummy', '--disable-system'] : [];
    await this.#startDaemon('ovs-vswitchd', [this.dbTarget, ...dummy]);
  }

  async #startDaemon(daemon: Daemon, args: readonly string[]): Promise<void> {
    const common = [`--pidfile=${this.dir}/${daemon}.pid`, '--detach', '--log-file', '-vconsole:off'];
    const [program, ...words] = this.entered(daemon, ...args, ...common);
    await run(program, words, { env: this.#env });
  }

  /** Ends a daemon and waits until it is gone; 'kill' is kill -9. */
  async stopDaemon(daemon: Daemon, how: 'graceful' | 'kill' = 'graceful'): Promise<void> {
    const pid = this.pidOf(daemon);
    if (pid === null) return;
    process.kill(pid, how === 'kill' ? 'SIGKILL' : 'SIGTERM');
    await until(() => hasEnded(pid), { what: `${daemon} ends` });
  }

  /** Returns when the new process has configured its bridges. */
  async restartVswitchd(how: 'graceful' | 'kill' = 'graceful'): Promise<void> {
    await this.stopDaemon('ovs-vswitchd', how);
    await this.startVswitchd();
    await this.vsctl('set', 'Open_vSwitch', '.', 'external_ids:restarted=true');
  }

  async restartDatabase(how: 'graceful' | 'kill' = 'graceful'): Promise<void> {
    await this.stopDaemon('ovsdb-server', how);
    await this.startDatabase();
  }

  /** A bridge of the switch's datapath, with fail mode secure. */
  async addBridge(name: string): Promise<void> {
    const settings = [`datapath_type=${this.datapathType}`, 'fail_mode=secure'];
    await this.vsctl('add-br', name, '--', 'set', 'Bridge', name, ...settings);
  }

  /** Adds a port; `capture(name)` records its outgoing frames. */
  addDummyPort(bridge: string, name: string, ofport?: number): Promise<void> {
    return this.addDummyPorts(bridge, [ofport === undefined ? { name } : { name, ofport }]);
  }

  /** All ports in one transaction. */
  async addDummyPorts(bridge: string, ports: readonly DummyPort[]): Promise<void> {
    await this.vsctl(
      ...ports.flatMap(({ name, ofport, externalIds = {} }) => [
        ...`-- add-port ${bridge} ${name} -- set Interface ${name} type=dummy`.split(' '),
        `options:tx_pcap=${this.captureFile(name)}`,
        ...(ofport === undefined ? [] : [`ofport_request=${ofport}`]),
        ...Object.entries(externalIds).map(([key, value]) => `external_ids:${key}="${value}"`),
      ]),
    );
  }

  captureFile(port: string): string {
    return join(this.dir, `${port}.pcap`);
  }

  /** The frames that leave through a dummy port, as they come. */
  capture(port: string): PcapTail {
    return new PcapTail(this.captureFile(port));
  }

  /** Injects frames into a dummy port, in order. Resolves when the switch has processed them. */
  inject(port: string, frames: readonly Uint8Array[]): Promise<void> {
    return this.injectAll([{ port, frames }]);
  }

  /** The same for many ports at once, which is faster; frames of different ports come in any order. */
  injectAll(loads: readonly Load[]): Promise<void> {
    // One caller at a time: frames are counted by the total of the whole datapath.
    const turn = this.#injecting.then(() => this.#injectAll(loads));
    this.#injecting = turn.catch(() => undefined);
    return turn;
  }

  async #injectAll(loads: readonly Load[]): Promise<void> {
    const longest = Math.max(0, ...loads.map(({ frames }) => frames.length));
    let taken = await this.#framesTaken();
    for (let at = 0; at < longest; at += dummyQueue) {
      const bursts = loads.map(({ port, frames }) => ({ port, frames: frames.slice(at, at + dummyQueue) }));
      await Promise.all(bursts.map(({ port, frames }) => this.control.receive(port, frames)));
      taken += bursts.reduce((sum, { frames }) => sum + frames.length, 0);
      const all = taken;
      const what = `the switch processes ${all} frames`;
      await until(async () => (await this.#framesTaken()) >= all, { interval: 0, what });
    }
  }

  /** Frames that the datapath has processed from its ports' queues since it started. */
  async #framesTaken(): Promise<number> {
    const stats = await this.control.call('dpif-netdev/pmd-stats-show');
    return Number(/packets received: (\d+)/.exec(stats)?.[1] ?? 0);
  }

  /** Ends all processes and removes everything it made. May be called twice. */
  async stop(): Promise<void> {
    this.control.close();
    await this.#reaper.finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** A running switch without bridges; cleans up when it cannot be started. */
export async function startSwitch(options: SwitchOptions = {}): Promise<Switch> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-'));
  const made = new Switch(dir, options);
  try {
    await made.makeNamespace();
    const schema = '/usr/share/openvswitch/vswitch.ovsschema';
    if (options.clustered)
      await run('ovsdb-tool', ['create-cluster', `${dir}/conf.db`, schema, `unix:${dir}/raft.sock`]);
    else await run('ovsdb-tool', ['create', `${dir}/conf.db`, schema]);
    await made.startDatabase();
    await made.vsctl('--no-wait', 'init');
    if (options.vswitchd !== false) await made.startVswitchd();
    return made;
  } catch (error) {
    await made.stop();
    throw error;
  }
}
