/**
 * A port moves between hosts: the evaluator's verdicts hold before and after its announcement, in real packets, and what the
 * switches have learned ends with the record.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { broadcastMac } from '../../src/net/mac.ts';
import { arpOps } from '../../src/net/packet/arp.ts';
import { icmpv6Types, naFlags, neighbourMessage, targetOption } from '../../src/net/packet/icmpv6.ts';
import { walk } from '../../src/policy/walk.ts';
import type { PortId, World } from '../../src/policy/world.ts';
import { arpFrame, icmpFrame, ip, mac, noMac, rarpFrame, udpFrame } from '../lib/frames.ts';
import { until } from '../lib/wait.ts';
import { arrivalSocket, TunnelledHosts } from './tunnelled-hosts.ts';
import { host, openGroup, type PortText, worldFrom } from './worlds.ts';

const moving = 'p1' as PortId;
const peers = { [host]: 'p2', there: 'p3', third: 'p4' } as const;
const macOf = (id: string) => mac(`02:00:00:00:00:0${id.slice(1)}`);
const ipOf = (id: string) => ip(`10.0.0.1${id.slice(1)}`);
const at = (id: string, place: string): PortText => ({
  id,
  mac: `02:00:00:00:00:0${id.slice(1)}`,
  ips: [`10.0.0.1${id.slice(1)}`, `2001:db8::1${id.slice(1)}`],
  groups: ['open'],
  host: place,
});
const staying = worldFrom({
  ports: [at('p1', host), ...Object.entries(peers).map(([place, id]) => at(id, place))],
  rules: openGroup('open'),
});

/** The world in which the port may move to a host, by an attempt of its own. */
function movingTo(target: string, number: number, from: string = host): World {
  const port = staying.ports.get(moving);
  if (port === undefined) throw new Error('no port');
  const arrival = { host: target, number };
  return { ...staying, ports: new Map([...staying.ports, [moving, { ...port, host: from, arrival }]]) };
}

const claim = { from: macOf('p1'), to: broadcastMac, sha: macOf('p1'), spa: ipOf('p1'), tpa: ipOf('p1') };
const ip6 = ip('2001:db8::11');
const announcements = {
  RARP: rarpFrame({
    ...claim,
    op: arpOps.reverseRequest,
    tha: macOf('p1'),
    spa: ip('0.0.0.0'),
    tpa: ip('0.0.0.0'),
  }),
  advertisement: icmpFrame(
    { from: macOf('p1'), to: mac('33:33:00:00:00:01'), src: ip6, dst: ip('ff02::1'), hopLimit: 255 },
    neighbourMessage(icmpv6Types.neighbourAdvertisement, naFlags.override, ip6, [targetOption(macOf('p1'))]),
  ),
  ARP: arpFrame({ ...claim, op: arpOps.request, tha: noMac }),
};

describe.each(['geneve', 'vxlan'] as const)('over %s', (type) => {
  let hosts: TunnelledHosts;
  beforeAll(async () => {
    hosts = await TunnelledHosts.start({ type, family: 4 });
  });
  afterAll(() => hosts.stop());

  let datagram = 0;
  const datagramOf = (from: string, to: string) =>
    udpFrame({ from: macOf(from), to: macOf(to), src: ipOf(from), dst: ipOf(to) }, 20_000 + datagram++, 2000);
  /** Who of the network got a frame that was put into a socket, and what the evaluator says. */
  async function compare(world: World, place: string, sender: PortId, frame: Buffer): Promise<string[]> {
    const isArrival = sender === moving && world.ports.get(moving)?.arrival?.host === place;
    const socket = isArrival ? arrivalSocket(moving) : sender;
    const [seen] = await hosts.run([{ sender: socket, frames: [frame] }]);
    const got = [...(seen?.delivered ?? [])].sort();
    const walked = walk(world, { host: place, port: sender }, new Map(), [frame]);
    const isThere = world.announced?.has(moving) === true;
    const expected = [...walked.receivers]
      .filter(([, { outcome }]) => outcome === 'passed')
      .map(([id]) => (id === moving && isThere ? arrivalSocket(moving) : id))
      .sort();
    expect(got, `${sender} at ${place}`).toEqual(expected);
    return got;
  }
  /** All ways between the port, at either host, and its peers. */
  async function compareAll(world: World): Promise<void> {
    for (const [place, peer] of Object.entries(peers)) {
      await compare(world, place, peer as PortId, datagramOf(peer, 'p1'));
      for (const end of [host, world.ports.get(moving)?.arrival?.host])
        if (end !== undefined) await compare(world, end, moving, datagramOf('p1', peer));
    }
  }

  test.each(Object.entries(announcements))('%s moves it on every host at once', async (name, frame) => {
    const world = await hosts.enter(movingTo('there', name.length));
    await compareAll(world);
    await hosts.run([{ sender: arrivalSocket(moving), frames: [frame] }]);
    const announced = { ...world, announced: new Set([moving]) };
    await until(
      async () => {
        const [seen] = await hosts.run([{ sender: 'p4' as PortId, frames: [datagramOf('p4', 'p1')] }]);
        return seen?.delivered.has(arrivalSocket(moving)) === true;
      },
      { what: 'frames go to the new host', interval: 1 },
    );
    await compareAll(announced);
  });

  test('nobody else moves it, and not from where it leaves', async () => {
    const world = await hosts.enter(movingTo('there', 11));
    for (const sender of [moving, 'p3' as PortId, 'p4' as PortId])
      for (const frame of Object.values(announcements)) await hosts.run([{ sender, frames: [frame] }]);
    // Nor by what its guards refuse, or what is no announcement.
    const forged = arpFrame({ ...claim, op: arpOps.request, tha: noMac, spa: ipOf('p2') });
    for (const frame of [forged, datagramOf('p1', 'p2')])
      await hosts.run([{ sender: arrivalSocket(moving), frames: [frame] }]);
    for (const name of [host, 'there', 'third'] as const)
      expect(await hosts.flows(name, 'moved_senders')).not.toContain('reg6');
    await compareAll(world);
  });

  test('what was learned is gone once the record says where the port is', async () => {
    await hosts.enter(movingTo('there', 9));
    await hosts.run([{ sender: arrivalSocket(moving), frames: [announcements.RARP] }]);
    for (const name of [host, 'there', 'third'] as const)
      for (const table of ['moved_senders', 'moved_receivers'] as const)
        expect(await hosts.flows(name, table)).toContain('reg6');
    // The attempt is given up: the port is where it was.
    const world = await hosts.enter(staying);
    for (const name of [host, 'there', 'third'] as const)
      for (const table of ['moved_senders', 'moved_receivers'] as const)
        expect(await hosts.flows(name, table)).not.toContain('reg6');
    await compareAll(world);
    // And the next attempt begins afresh.
    await compareAll(await hosts.enter(movingTo('there', 10)));
  });
});
