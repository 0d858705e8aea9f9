/** Failover in the data path between hosts: an announcement from another host moves a MAC here, and the other way. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { broadcastMac } from '../../src/net/mac.ts';
import type { PortId } from '../../src/policy/world.ts';
import { arpFrame, ip, mac, noMac, udpFrame } from '../lib/frames.ts';
import { until } from '../lib/wait.ts';
import { TunnelledHosts } from './tunnelled-hosts.ts';
import { host, openGroup, type PortText, worldFrom } from './worlds.ts';

const vip = '10.0.0.100';
const shared = '00:00:5e:00:01:0a';
const member = (n: number, place: string): PortText => ({
  id: `p${n}`,
  mac: `02:00:00:00:00:0${n}`,
  ips: [`10.0.0.1${n}`],
  groups: ['open'],
  pairs: n === 1 ? [] : [[vip, shared]],
  host: place,
});
const world = worldFrom({
  ports: [member(1, host), member(2, host), member(3, 'there')],
  rules: openGroup('open'),
  owners: [{ port: 'p2', address: vip, mac: shared }],
});

let hosts: TunnelledHosts;
beforeAll(async () => {
  hosts = await TunnelledHosts.start({ type: 'geneve', family: 4 });
});
afterAll(() => hosts.stop());

const announce = (sender: string) => {
  const [from, address] = [mac(shared), ip(vip)];
  const fields = { from, to: broadcastMac, op: 1, sha: from, spa: address, tha: noMac, tpa: address };
  return hosts.run([{ sender: sender as PortId, frames: [arpFrame(fields)] }]);
};
let datagram = 0;
const goesTo = (expected: string) =>
  until(
    async () => {
      const layer = { from: mac('02:00:00:00:00:01'), to: mac(shared), src: ip('10.0.0.11'), dst: ip(vip) };
      const frames = [udpFrame(layer, 20_000 + datagram++, 2000)];
      const [seen] = await hosts.run([{ sender: 'p1' as PortId, frames }]);
      return [...(seen?.delivered ?? [])].join() === expected;
    },
    { timeout: 10_000, what: `frames go to ${expected}`, interval: 5 },
  );
const settled = (name: 'here' | 'there') =>
  until(async () => !(await hosts.flows(name, 'claim_holds')).includes('actions='), {
    timeout: 10_000,
    what: `nothing is held ${name}`,
    interval: 50,
  });

test('an announcement from another host moves the MAC there, and one from here moves it back', async () => {
  await hosts.enter(world);
  await goesTo('p2');
  await announce('p3');
  await goesTo('p3');
  for (const name of [host, 'there'] as const) {
    await settled(name);
    expect(await hosts.flows(name, 'learned_macs')).toContain(shared);
  }
  await announce('p2');
  await goesTo('p2');
});
