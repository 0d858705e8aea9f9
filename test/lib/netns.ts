/**
 * Network namespaces as guests. Each has a veth pair: the inner end is `eth0`, the outer end is given to a
 * bridge. Checksum offload is off on both ends, because the userspace datapath would forward unfilled
 * checksums. Everything is removed when stopped, or when the test process dies. Needs root.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { describe } from 'vitest';
import { type CommandOptions, type CommandResult, run, runAnyway } from './command.ts';
import { Reaper } from './reaper.ts';
import type { Switch } from './switch.ts';

export const isRoot = process.getuid?.() === 0;

/** A `describe` that is skipped where namespaces cannot be made; its name then gives the reason. */
export function describeRoot(name: string, body: () => void): void {
  if (isRoot) describe(name, body);
  else describe.skip(`${name} (skipped: needs root)`, body);
}

export interface GuestOptions {
  readonly mac?: string;
  /** With prefix length: `192.0.2.5/24`, `2001:db8::5/64`. */
  readonly addresses?: readonly string[];
  /** Next hop of the default route of its family. */
  readonly gateways?: readonly string[];
  readonly mtu?: number;
}

/** A program that runs in a namespace until it is ended. */
export class Background {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  #output = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    const collect = (chunk: Buffer) => {
      this.#output += chunk.toString();
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    this.#exit = once(child, 'close').catch((error: Error) => collect(Buffer.from(error.message)));
  }

  /** Of the program itself. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Standard output and error so far. */
  get output(): string {
    return this.#output;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  write(input: string): void {
    this.#child.stdin?.write(input);
  }

  /** Resolves with all output when the program has ended on its own. */
  async ended(): Promise<string> {
    await this.#exit;
    return this.#output;
  }

  /** Ends the program by its pid and resolves with all output. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<string> {
    if (this.running) this.#child.kill(signal);
    const hard = setTimeout(() => this.#child.kill('SIGKILL'), 3000);
    await this.#exit;
    clearTimeout(hard);
    return this.#output;
  }
}

const reaperScript = `
for pid in $(ip netns pids "$1"); do kill -9 "$pid"; done
ip link del "$2"
ip netns del "$1"
`;

export class Guest {
  /** Of the namespace. */
  readonly name: string;
  /** The outer end of the veth. */
  readonly outer: string;
  readonly #reaper: Reaper;
  readonly #background = new Set<Background>();
  /** The namespace of the outer end; null is the test's own. */
  #where: string | null = null;
  #plugged: { readonly at: Switch; readonly bridge: string } | null = null;

  constructor() {
    const id = randomBytes(4).toString('hex');
    this.name = `pct-${id}`;
    this.outer = `pct${id}`;
    this.#reaper = new Reaper(reaperScript, [this.name, this.outer]);
  }

  async create(options: GuestOptions): Promise<void> {
    const { mac, addresses = [], gateways = [], mtu } = options;
    const peer = [...(mac === undefined ? [] : ['address', mac]), 'netns', this.name];
    await run('ip', ['netns', 'add', this.name]);
    await run('ip', ['link', 'add', this.outer, 'type', 'veth', 'peer', 'name', 'eth0', ...peer]);
    const offload = ['tx', 'off', 'rx', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off'];
    await run('ethtool', ['-K', this.outer, ...offload]);
    await this.run('ethtool', '-K', 'eth0', ...offload);
    // The host's own stack must be silent on the outer end: it would answer ARP for any of its addresses.
    await this.#mute(null);
    if (mtu !== undefined) {
      await run('ip', ['link', 'set', this.outer, 'mtu', String(mtu)]);
      await this.run('ip', 'link', 'set', 'eth0', 'mtu', String(mtu));
    }
    await this.run('ip', 'link', 'set', 'lo', 'up');
    for (const address of addresses) await this.run('ip', 'addr', 'add', address, 'dev', 'eth0', 'nodad');
    await this.run('ip', 'link', 'set', 'eth0', 'up');
    for (const gateway of gateways)
      await this.run('ip', gateway.includes(':') ? '-6' : '-4', 'route', 'add', 'default', 'via', gateway);
  }

  /** Brings the outer end up and keeps the host's stack off it. The end is in `namespace` (null: the test's own). */
  async #mute(namespace: string | null): Promise<void> {
    const at = namespace === null ? [] : ['-n', namespace];
    await run('ip', [...at, 'link', 'set', this.outer, 'arp', 'off', 'multicast', 'off']);
    const quiet = ['-qw', `net.ipv6.conf.${this.outer}.disable_ipv6=1`];
    if (namespace === null) await runAnyway('sysctl', quiet);
    else await runAnyway('ip', ['netns', 'exec', namespace, 'sysctl', ...quiet]);
    await run('ip', [...at, 'link', 'set', this.outer, 'up']);
  }

  /** A switch finds only devices in its own namespace. */
  async #bring(namespace: string | null): Promise<void> {
    if (this.#where === namespace) return;
    const at = this.#where === null ? [] : ['-n', this.#where];
    await run('ip', [...at, 'link', 'set', this.outer, 'netns', namespace ?? String(process.pid)]);
    this.#where = namespace;
    await this.#mute(namespace);
  }

  /** The MAC address of `eth0`. */
  async mac(): Promise<string> {
    return (await this.run('cat', '/sys/class/net/eth0/address')).trim();
  }

  /** Adds the outer end to a bridge as a port of the same name, with `external_ids` for its interface. */
  async plug(at: Switch, bridge: string, externalIds: Readonly<Record<string, string>> = {}): Promise<void> {
    const settings = Object.entries(externalIds).map(([key, value]) => `external_ids:${key}="${value}"`);
    const set = settings.length > 0 ? ['--', 'set', 'Interface', this.outer, ...settings] : [];
    await this.#bring(at.namespace);
    await at.vsctl('add-port', bridge, this.outer, ...set);
    this.#plugged = { at, bridge };
  }

  async unplug(): Promise<void> {
    const plugged = this.#plugged;
    this.#plugged = null;
    await plugged?.at.vsctl('--if-exists', 'del-port', plugged.bridge, this.outer);
  }

  /** Runs a program in the namespace to its end; rejects when it fails. */
  run(program: string, ...args: string[]): Promise<string> {
    return run('ip', ['netns', 'exec', this.name, program, ...args]);
  }

  /** Runs a program in the namespace to its end and returns how it ended. */
  runAnyway(program: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runAnyway('ip', ['netns', 'exec', this.name, program, ...args], options);
  }

  /** Starts a program in the namespace; it ends at the latest with the guest. */
  start(program: string, ...args: string[]): Background {
    const started = new Background(spawn('ip', ['netns', 'exec', this.name, program, ...args]));
    this.#background.add(started);
    return started;
  }

  /** Ends all programs in the namespace, and removes it and the veth. May be called twice. */
  async stop(): Promise<void> {
    await Promise.all([...this.#background].map((started) => started.stop()));
    await this.#reaper.finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** A guest that is not plugged into any bridge yet. */
export async function startGuest(options: GuestOptions = {}): Promise<Guest> {
  const guest = new Guest();
  try {
    await guest.create(options);
    return guest;
  } catch (error) {
    await guest.stop();
    throw error;
  }
}
