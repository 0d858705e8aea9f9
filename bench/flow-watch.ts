/**
 * Reports when a switch's flows change, from the switch's own notices. ovs-ofctl holds a flow monitor
 * (OpenFlow 1.5, 7.3.5.18) on the bridge, so no request slows the switch or the controller down. The switch
 * sends the notice of a bundle at its commit, beside the answer to the controller.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { Reaper } from '../test/lib/reaper.ts';
import type { Switch } from '../test/lib/switch.ts';
import { until } from '../test/lib/wait.ts';
import { bridge } from './controller.ts';

/** A flow that the agent adds and removes at once, so that the switch revalidates its megaflows. */
const pulse = / table=200 /;
const killScript = 'tr \'\\0\' \' \' <"/proc/$1/cmdline" | grep -qF "$2" && kill -9 "$1"';

export class FlowWatch {
  readonly #child: ChildProcess;
  readonly #reaper: Reaper;
  #begun = false;
  #events = 0;
  readonly #byFamily = { 4: 0, 6: 0 };
  #lastAt = 0;

  constructor(at: Switch, name: string) {
    const target = `${at.dir}/${name}.mgmt`;
    // The answer that the watch has begun goes to standard output, which is no terminal; the notices go to
    // standard error.
    const command = ['ovs-ofctl', '-O', 'OpenFlow15', 'monitor', target, 'watch:!initial'];
    this.#child = spawn('stdbuf', ['-oL', ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#reaper = new Reaper(killScript, [String(this.#child.pid), target]);
    this.#read(this.#child.stdout);
    this.#read(this.#child.stderr);
  }

  #read(stream: Readable | null): void {
    let partial = '';
    stream?.on('data', (chunk: Buffer) => {
      const now = performance.now();
      const lines = (partial + chunk.toString()).split('\n');
      partial = lines.pop() ?? '';
      for (const line of lines) {
        if (line.startsWith('OFPST_FLOW_MONITOR reply')) this.#begun = true;
        if (!/^ event=(?:ADDED|MODIFIED|DELETED)/.test(line) || pulse.test(line)) continue;
        this.#events++;
        if (/\bipv6_(?:src|dst)=/.test(line)) this.#byFamily[6]++;
        else if (/\bnw_(?:src|dst)=/.test(line)) this.#byFamily[4]++;
        this.#lastAt = now;
      }
    });
  }

  /** Flows added, changed or removed since the watch began. */
  get events(): number {
    return this.#events;
  }

  /** Those of them that match an address of the family. */
  eventsOf(family: 4 | 6): number {
    return this.#byFamily[family];
  }

  /** When the last notice came, on the clock of `performance.now()`. */
  get lastAt(): number {
    return this.#lastAt;
  }

  async begun(): Promise<void> {
    await until(() => this.#begun, { what: 'the flow monitor' });
  }

  /**
   * Resolves when flows have changed since `events` was `before`, and then were unchanged for `quiet`
   * milliseconds.
   */
  async settled(before: number, quiet: number, timeout = 30_000): Promise<void> {
    await until(() => this.#events > before && performance.now() - this.#lastAt > quiet, {
      timeout,
      interval: 1,
      what: 'flows change',
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exit;
    await this.#reaper.finish();
  }
}

/** A watch that has begun. */
export async function watchFlows(at: Switch, name = bridge): Promise<FlowWatch> {
  const watch = new FlowWatch(at, name);
  await watch.begun();
  return watch;
}
