/**
 * A private Open vSwitch for a test: own directory, own database, dummy datapath, no root needed. Ends only
 * processes that it started, and only while their command line still names its directory.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const schema = '/usr/share/openvswitch/vswitch.ovsschema';

export class PrivateSwitch {
  readonly dir = mkdtempSync(join(tmpdir(), 'portcullis-of-'));
  readonly bridge: string;

  private constructor(bridge: string) {
    this.bridge = bridge;
  }

  static async start(bridge = 'br-test'): Promise<PrivateSwitch> {
    const it = new PrivateSwitch(bridge);
    try {
      await run('ovsdb-tool', ['create', join(it.dir, 'conf.db'), schema]);
      await it.#daemon('ovsdb-server', [join(it.dir, 'conf.db'), `--remote=punix:${it.dir}/db.sock`]);
      await it.vsctl('--no-wait', 'init');
      await it.startVswitchd();
      const dummy = ['set', 'bridge', bridge, 'datapath_type=dummy', 'fail-mode=secure'];
      await it.vsctl('add-br', bridge, '--', ...dummy);
      return it;
    } catch (error) {
      await it.stop();
      throw error;
    }
  }

  /** The bridge's OpenFlow socket. */
  get target(): string {
    return `unix:${this.dir}/${this.bridge}.mgmt`;
  }

  #daemon(name: string, args: readonly string[]): Promise<unknown> {
    const env = { ...process.env, OVS_RUNDIR: this.dir, OVS_LOGDIR: this.dir, OVS_DBDIR: this.dir };
    const usual = [
      `--pidfile=${this.dir}/${name}.pid`,
      '--detach',
      '--no-chdir',
      `--log-file=${this.dir}/${name}.log`,
    ];
    return run(name, [...args, ...usual], { env });
  }

  startVswitchd(): Promise<unknown> {
    return this.#daemon('ovs-vswitchd', [`unix:${this.dir}/db.sock`, '--enable-dummy', '--disable-system']);
  }

  /** Kills ovs-vswitchd and waits until it is gone. */
  async killVswitchd(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#end('ovs-vswitchd', signal);
  }

  async #end(name: string, signal: NodeJS.Signals): Promise<void> {
    const file = join(this.dir, `${name}.pid`);
    if (!existsSync(file)) return;
    const pid = Number(readFileSync(file, 'utf8'));
    const mine = (): boolean => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(this.dir);
      } catch {
        return false;
      }
    };
    if (mine()) process.kill(pid, signal);
    for (let i = 0; mine() && i < 500; i++) await delay(10);
    if (mine()) throw new Error(`${name} (${pid}) did not end`);
  }

  async vsctl(...args: string[]): Promise<string> {
    return (await run('ovs-vsctl', [`--db=unix:${this.dir}/db.sock`, '--timeout=20', ...args])).stdout;
  }

  /** ovs-ofctl under OpenFlow 1.5; the bridge is put after the command. */
  async ofctl(command: string, ...args: string[]): Promise<string> {
    const options = ['-O', 'OpenFlow15', '--no-stats', command, this.target, ...args];
    return (await run('ovs-ofctl', options, { maxBuffer: 64 << 20 })).stdout;
  }

  async appctl(...args: string[]): Promise<string> {
    const pid = readFileSync(join(this.dir, 'ovs-vswitchd.pid'), 'utf8').trim();
    return (await run('ovs-appctl', ['-t', join(this.dir, `ovs-vswitchd.${pid}.ctl`), ...args])).stdout;
  }

  async stop(): Promise<void> {
    await this.#end('ovs-vswitchd', 'SIGTERM').catch(() => this.#end('ovs-vswitchd', 'SIGKILL'));
    await this.#end('ovsdb-server', 'SIGTERM').catch(() => this.#end('ovsdb-server', 'SIGKILL'));
    rmSync(this.dir, { recursive: true, force: true });
  }
}
