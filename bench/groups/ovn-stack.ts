/**
 * A private OVN beside a private switch: both databases, ovn-northd and ovn-controller. Each is a child
 * process with sockets in the switch's directory, so the machine's own OVN and Open vSwitch are not touched.
 * Ends them by their ids, even if the bench fails. Knows nothing of the databases' contents.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync } from 'node:fs';
import { Rpc } from '../../src/ovsdb/rpc.ts';
import { run, runAnyway } from '../../test/lib/command.ts';
import { Reaper } from '../../test/lib/reaper.ts';
import type { Switch } from '../../test/lib/switch.ts';
import { until } from '../../test/lib/wait.ts';
import { bridge, host } from '../controller.ts';
import { cpuSeconds, threadNanoseconds } from '../process-usage.ts';

const killScript = 'tr \'\\0\' \' \' <"/proc/$1/cmdline" | grep -qF "$2" && kill -9 "$1"';
const schemas = '/usr/share/ovn';

/** The installed version, or null. */
export async function ovnVersion(): Promise<string | null> {
  if (!existsSync(`${schemas}/ovn-nb.ovsschema`)) return null;
  for (const program of ['ovn-northd', 'ovn-controller', 'ovn-nbctl']) {
    const found = await runAnyway(program, ['--version']).catch(() => null);
    if (found?.code !== 0) return null;
  }
  const { stdout } = await runAnyway('ovn-controller', ['--version']);
  return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? null;
}

class Daemon {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #reaper: Reaper;

  /** One of the arguments names `dir`, which identifies the process. */
  constructor(dir: string, program: string, args: readonly string[], log: string) {
    const out = openSync(`${dir}/${log}.out`, 'a');
    this.#child = spawn(program, args, {
      env: { ...process.env, OVS_RUNDIR: dir, OVN_RUNDIR: dir, OVN_LOGDIR: dir, OVN_DBDIR: dir },
      stdio: ['ignore', out, out],
    });
    this.pid = this.#child.pid ?? -1;
    this.#reaper = new Reaper(killScript, [String(this.pid), dir]);
  }

  /** Ends it without a chance to remove flows from the switch. */
  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exit = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await exit;
    }
    await this.#reaper.finish();
  }
}

export class OvnStack implements AsyncDisposable {
  readonly at: Switch;
  readonly #daemons = new Map<string, Daemon>();
  readonly #connections: Rpc[] = [];

  constructor(at: Switch) {
    this.at = at;
  }

  get #dir(): string {
    return this.at.dir;
  }

  #start(name: string, program: string, args: readonly string[]): void {
    this.#daemons.set(name, new Daemon(this.#dir, program, ['-vconsole:warn', ...args], name));
  }

  async startDatabases(): Promise<void> {
    const dir = this.#dir;
    for (const name of ['nb', 'sb']) {
      await run('ovsdb-tool', ['create', `${dir}/${name}.db`, `${schemas}/ovn-${name}.ovsschema`]);
      const files = [
        `--remote=punix:${dir}/${name}.sock`,
        `--unixctl=${dir}/${name}.ctl`,
        `${dir}/${name}.db`,
      ];
      this.#start(name, 'ovsdb-server', files);
      await until(() => existsSync(`${dir}/${name}.sock`), { what: `${name}.sock` });
    }
    this.#start('northd', 'ovn-northd', [
      `--ovnnb-db=unix:${dir}/nb.sock`,
      `--ovnsb-db=unix:${dir}/sb.sock`,
      `--unixctl=${dir}/northd.ctl`,
    ]);
    const settings = {
      'system-id': host,
      'ovn-remote': `unix:${dir}/sb.sock`,
      'ovn-encap-type': 'geneve',
      'ovn-encap-ip': '127.0.0.1',
      'ovn-bridge': bridge,
      'ovn-monitor-all': 'true',
      // An idle connection must not be probed during a measurement.
      'ovn-remote-probe-interval': '0',
      'ovn-openflow-probe-interval': '0',
    };
    const words = Object.entries(settings).map(([key, value]) => `external_ids:${key}="${value}"`);
    await this.at.vsctl('--no-wait', 'set', 'Open_vSwitch', '.', ...words);
  }

  startController(): void {
    this.#start('controller', 'ovn-controller', [`unix:${this.#dir}/db.sock`]);
  }

  /** As by kill -9: flows stay. */
  async killController(): Promise<void> {
    await this.#daemons.get('controller')?.kill();
    this.#daemons.delete('controller');
  }

  /** A connection to one of the databases. */
  async connect(database: 'nb' | 'sb'): Promise<Rpc> {
    const rpc = await Rpc.connect({ target: `unix:${this.#dir}/${database}.sock`, probeInterval: 0 });
    this.#connections.push(rpc);
    return rpc;
  }

  /** Returns when the switch has the flows for everything in the northbound database, within so many seconds. */
  async synced(timeout: number, how: 'sb' | 'hv' = 'hv'): Promise<void> {
    const args = [`--db=unix:${this.#dir}/nb.sock`, `--timeout=${timeout}`, `--wait=${how}`, 'sync'];
    await run('ovn-nbctl', args, { timeout: (timeout + 5) * 1000 });
  }

  cpu(): number {
    return [...this.#daemons.values()].reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
  }

  cpuNanoseconds(): number {
    return [...this.#daemons.values()].reduce((sum, { pid }) => sum + threadNanoseconds(pid), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const rpc of this.#connections) rpc.close();
    for (const name of ['controller', 'northd', 'nb', 'sb']) await this.#daemons.get(name)?.kill();
    this.#daemons.clear();
    await this.at.stop();
  }
}
