/**
 * An underlay between private switches with the dummy datapath: each gets a bridge with the address of its tunnel
 * endpoint, and the bridges of two switches are joined by a socket. The switches are `isolated`, each in a namespace.
 */
import { type Cidr, formatIp } from '../../src/net/cidr.ts';
import { run } from './command.ts';
import type { Switch } from './switch.ts';
import { until } from './wait.ts';

const bridge = 'br-phy';

export interface Endpoint {
  readonly at: Switch;
  readonly address: Cidr;
}

export const macOf = (at: number): string => `02:aa:00:00:00:0${at + 1}`;
const textOf = ({ address }: Endpoint): string => formatIp(address.family, address.bits);
export const linkOf = (a: number, b: number): string => `p${a}${b}`;

/** Joins all of them, each with each. Fewer than ten. */
export async function joinUnderlay(ends: readonly Endpoint[]): Promise<void> {
  for (const [number, end] of ends.entries()) {
    const { at, address } = end;
    const settings = [
      'datapath_type=dummy',
      'fail_mode=standalone',
      `other_config:hwaddr="${macOf(number)}"`,
    ];
    await at.vsctl('add-br', bridge, '--', 'set', 'Bridge', bridge, ...settings);
    // The switch takes an address for its own only if the kernel of its namespace does.
    const host = `${textOf(end)}/${address.family === 4 ? 32 : 128}`;
    await run('ip', ['-n', at.namespace ?? 'none', 'addr', 'add', host, 'dev', 'lo']);
    await at.appctl(
      `netdev-dummy/ip${address.family}addr`,
      bridge,
      `${textOf(end)}/${address.family === 4 ? 24 : 64}`,
    );
  }
  for (const [a, one] of ends.entries())
    for (const [b, other] of ends.entries()) {
      if (a >= b) continue;
      const socket = `${one.at.dir}/link-${a}-${b}`;
      await addLink(one.at, linkOf(a, b), `pstream=punix:${socket}`);
      await addLink(other.at, linkOf(b, a), `stream=unix:${socket}`);
    }
  for (const [a, { at, address }] of ends.entries()) {
    const network = formatIp(address.family, (address.bits >> 8n) << 8n);
    await at.appctl('ovs/route/add', `${network}/${address.family === 4 ? 24 : 120}`, bridge);
    for (const [b, other] of ends.entries()) {
      if (a === b) continue;
      await at.appctl('tnl/neigh/set', bridge, textOf(other), macOf(b));
      // Frames for the other end take its link at once, and never a flood.
      await at.ofctl(
        'add-flow',
        at.mgmt(bridge),
        `priority=10,dl_dst=${macOf(b)},actions=output:${linkOf(a, b)}`,
      );
    }
  }
}

/** The bridge of a physical network, and the port of a neighbour there, which only the first switch has. */
export const physicalBridge = 'br-ex';
export const neighbour = 'neighbour';

/**
 * A physical network between switches, all others joined to the first: each frame goes everywhere, as over a hub, so nothing
 * depends on what is learned. `patch` is an OpenFlow port number on the bridges of guests.
 */
export async function joinPhysical(ends: readonly Endpoint[], guests: string, patch: number): Promise<void> {
  const socket = (number: number): string => `${ends[0]?.at.dir ?? ''}/physical-${number}`;
  for (const [number, { at }] of ends.entries()) {
    await at.vsctl(
      ...`add-br ${physicalBridge} -- set Bridge ${physicalBridge} datapath_type=dummy fail_mode=secure`.split(
        ' ',
      ),
      ...`-- add-port ${guests} to-ex -- set Interface to-ex type=patch options:peer=to-guests`.split(' '),
      `ofport_request=${patch}`,
      ...`-- add-port ${physicalBridge} to-guests -- set Interface to-guests type=patch options:peer=to-ex`.split(
        ' ',
      ),
    );
    const links = number === 0 ? [...ends.keys()].slice(1) : [number];
    for (const link of links) {
      const option = number === 0 ? `pstream=punix:${socket(link)}` : `stream=unix:${socket(link)}`;
      await addLink(at, `p5${link}`, option, physicalBridge);
    }
    if (number === 0) await at.addDummyPort(physicalBridge, neighbour);
    // The guests' bridge last: its lookups hold pieces of datagrams, also for the outputs behind them.
    const ports = [...links.map((link) => `p5${link}`), ...(number === 0 ? [neighbour] : []), 'to-guests'];
    const outputs = ports.map((port) => `output:${port}`).join();
    await at.ofctl('--names', 'add-flow', at.mgmt(physicalBridge), `actions=${outputs}`);
  }
}

/** Larger than what guests send, with what a tunnel adds. */
const mtu = 9000;

async function addLink(at: Switch, name: string, option: string, to: string = bridge): Promise<void> {
  const settings = ['type=dummy', `options:${option}`, `mtu_request=${mtu}`];
  await at.vsctl('add-port', to, name, '--', 'set', 'Interface', name, ...settings);
}

interface Traffic {
  readonly sent: number;
  readonly received: number;
}

/** Frames of the links that a switch has sent and received. */
async function linkTraffic(at: Switch): Promise<Traffic> {
  const text = await at.appctl('dpctl/show', '-s');
  const links = text.split(/\n\s+port \d+: /).filter((part) => /^p\d\d\b/.test(part));
  const sum = (way: string): number =>
    links.reduce(
      (total, part) => total + Number(new RegExp(`${way} packets:(\\d+)`).exec(part)?.[1] ?? 0),
      0,
    );
  return { sent: sum('TX'), received: sum('RX') };
}

/**
 * Resolves when each frame that a switch has put on the underlay has been processed at the other end. `forged`: frames that
 * a test has injected into links.
 */
export async function underlaySettled(ends: readonly Endpoint[], forged = 0): Promise<void> {
  const traffic = () => Promise.all(ends.map(({ at }) => linkTraffic(at)));
  await until(
    async () => {
      const before = await traffic();
      const sum = (way: keyof Traffic): number => before.reduce((total, one) => total + one[way], 0);
      // An answer may have been sent while the other ends were asked.
      const isQuiet = JSON.stringify(before) === JSON.stringify(await traffic());
      return isQuiet && sum('sent') + forged === sum('received');
    },
    { interval: 1, what: 'the underlay carries nothing any more' },
  );
}
