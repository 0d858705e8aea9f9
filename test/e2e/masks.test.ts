/** The datapath stays fast for others whatever one guest sends, and its metrics show the load. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attackFrames } from '../lib/attack.ts';
import { ip, mac } from '../lib/frames.ts';
import { describeRoot } from '../lib/netns.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';
import { passes, ping } from './traffic.ts';

/** On kernels all ports share the masks, so those of ARP and neighbour discovery count too. */
const mostMasks = 32;
let cloud: Cloud;
let a: Member;
let b: Member;

async function metrics(): Promise<(name: string) => number> {
  const page = String((await cloud.api('GET', '/metrics')).body);
  return (name) => Number(new RegExp(`^portcullis_datapath_${name} (\\S+)$`, 'm').exec(page)?.[1]);
}

describeRoot('the datapath’s cache', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    [a, b] = (await cloud.guests(net, { a: {}, b: {} })) as [Member, Member];
  });
  afterAll(() => cloud?.stop());

  test('random ports, TTL and TOS of one guest cause few masks, and the metrics show how many', async () => {
    await passes(ping(a, b));
    const own = [ip(a.ip), ip(a.ip6)];
    const attacker = { mac: mac(a.mac), sources: own, to: mac(b.mac), destinations: [ip(b.ip), ip(b.ip6)] };
    await a.probe.send(...attackFrames(1500, 'ports', attacker));
    const told = await metrics();
    // More than a harmless guest would cause: the frames have arrived by then.
    expect(told('megaflows')).toBeGreaterThan(100);
    expect(told('masks')).toBeGreaterThan(4);
    expect(told('masks')).toBeLessThanOrEqual(mostMasks);
    expect(told('masks_tried_total') / told('lookups_total')).toBeGreaterThanOrEqual(1);
    expect(told('masks_tried_total') / told('lookups_total')).toBeLessThan(mostMasks);
  });
});
