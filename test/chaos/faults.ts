/**
 * What goes wrong in a cloud, by chance: processes die or stand still, lines are cut, slow or lose answers, interfaces come
 * and go. Two lanes go wrong at once: etcd's, which has at most one member away, and that of all others.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../api/fuzz/random.ts';
import { bridge, type Cloud, type Connected, type Host } from './cloud.ts';

interface Trouble {
  readonly name: string;
  /** Milliseconds that it lasts, at most. */
  readonly duration: number;
  begin(): Promise<void> | void;
  end(): Promise<void> | void;
}

export interface FaultOptions {
  /** Milliseconds for which a process stands still, or all of etcd is away, at most. */
  readonly maxStandstill: number;
  readonly hasOutages: boolean;
}

/** Milliseconds between two troubles of a lane, at most. */
const maxQuiet = 1500;

export class Faults {
  readonly #cloud: Cloud;
  readonly #random: Random;
  readonly #options: FaultOptions;
  readonly counts = new Map<string, number>();
  readonly #ending = new AbortController();
  #lanes: Promise<unknown> = Promise.resolve();

  constructor(cloud: Cloud, random: Random, options: FaultOptions) {
    this.#cloud = cloud;
    this.#random = random;
    this.#options = options;
  }

  begin(): void {
    this.#lanes = Promise.all([this.#lane(() => this.#ofEtcd()), this.#lane(() => this.#ofOthers())]);
  }

  /** Resolves once all that went wrong is mended. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.#lanes;
  }

  async #lane(next: () => Trouble): Promise<void> {
    const { signal } = this.#ending;
    const pause = (most: number) => delay(this.#random.below(most), undefined, { signal }).catch(() => {});
    while (!signal.aborted) {
      const trouble = next();
      this.counts.set(trouble.name, (this.counts.get(trouble.name) ?? 0) + 1);
      await trouble.begin();
      await pause(trouble.duration);
      await trouble.end();
      await pause(maxQuiet);
    }
  }

  #ofEtcd(): Trouble {
    const random = this.#random;
    const { members } = this.#cloud.etcd;
    const member = random.pick(members);
    const { maxStandstill, hasOutages } = this.#options;
    const kill: Trouble = {
      name: 'a member of etcd dies',
      duration: 4000,
      begin: () => member.kill(),
      end: () => member.restart(),
    };
    const stop: Trouble = {
      name: 'a member of etcd stands still',
      duration: 4000,
      begin: () => member.signal('SIGSTOP'),
      end: () => member.signal('SIGCONT'),
    };
    const outage: Trouble = {
      name: 'all of etcd dies',
      duration: maxStandstill,
      begin: async () => void (await Promise.all(members.map((each) => each.kill()))),
      end: () => members.forEach((each) => each.restart()),
    };
    return random.weighted([[6, kill], [3, stop], ...(hasOutages ? [[1, outage] as const] : [])]);
  }

  #ofOthers(): Trouble {
    const random = this.#random;
    const { servers, hosts } = this.#cloud;
    const any = random.pick<Connected>([...servers, ...hosts]);
    const host = random.pick(hosts);
    return random.weighted([
      [4, this.#death('a server dies', random.pick(servers))],
      [4, this.#death('an agent dies', host)],
      [2, this.#standstill('an agent stands still', host)],
      [1, this.#standstill('a server stands still', random.pick(servers))],
      [3, ovs(host, 'ovs-vswitchd')],
      [1, ovs(host, 'ovsdb-server')],
      [3, this.#slowLines(any)],
      [3, cutLines(any)],
      [2, lostAnswers(any)],
      [3, this.#unplugged(host)],
    ]);
  }

  #death(name: string, { process }: Connected): Trouble {
    return { name, duration: 1500, begin: () => process.end('SIGKILL'), end: () => process.start() };
  }

  #standstill(name: string, { process }: Connected): Trouble {
    return {
      name,
      duration: this.#options.maxStandstill,
      begin: () => process.signal('SIGSTOP'),
      end: () => process.signal('SIGCONT'),
    };
  }

  #slowLines({ lines }: Connected): Trouble {
    return {
      name: 'slow lines to etcd',
      duration: 5000,
      begin: () => lines.forEach((line) => line.delay(this.#random.below(300))),
      end: () => lines.forEach((line) => line.delay(0)),
    };
  }

  #unplugged({ at }: Host): Trouble {
    let taken: { readonly name: string; readonly port: string } | null = null;
    return {
      name: 'an interface is plugged again',
      duration: 2000,
      begin: async () => {
        const text = await at.vsctl(
          '--bare',
          '--columns=name,external_ids',
          'find',
          'Interface',
          'type=dummy',
        );
        const found = [...text.matchAll(/^(tap\S*)\n.*iface-id="?([\w-]+)/gm)];
        const [, name = '', port = ''] = this.#random.pick(found);
        await at.vsctl('del-port', bridge, name);
        taken = { name, port };
      },
      end: async () => {
        if (taken !== null)
          await at.addDummyPorts(bridge, [{ name: taken.name, externalIds: { 'iface-id': taken.port } }]);
      },
    };
  }
}

const ovs = ({ at }: Host, daemon: 'ovs-vswitchd' | 'ovsdb-server'): Trouble => ({
  name: `${daemon} dies`,
  duration: 1500,
  begin: () => at.stopDaemon(daemon, 'kill'),
  end: () => (daemon === 'ovs-vswitchd' ? at.startVswitchd() : at.startDatabase()),
});

const cutLines = ({ lines }: Connected): Trouble => ({
  name: 'cut lines to etcd',
  duration: 4000,
  begin: () => lines.forEach((line) => line.cut()),
  end: () => lines.forEach((line) => line.mend()),
});

const lostAnswers = ({ lines }: Connected): Trouble => ({
  name: 'lost answers of etcd',
  duration: 2000,
  begin: () => lines.forEach((line) => line.loseAnswers()),
  end: () => lines.forEach((line) => (line.cut(), line.mend())),
});
