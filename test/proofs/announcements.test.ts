/**
 * Failover in the data path: what an announcement changes on a switch that no agent corrects. The records of owners are
 * those of the world; the switch itself learns the rest.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { broadcastMac } from '../../src/net/mac.ts';
import { icmpv6Types, naFlags, neighbourMessage, targetOption } from '../../src/net/packet/icmpv6.ts';
import { type TableName, tables } from '../../src/pipeline/tables.ts';
import type { PortId, World } from '../../src/policy/world.ts';
import { arpFrame, icmpFrame, ip, mac, noMac, udpFrame } from '../lib/frames.ts';
import { until } from '../lib/wait.ts';
import { type Driver, startDriver } from './driver.ts';
import { pipelineInstall } from './installation.ts';
import { type OwnerText, openGroup, type PortText, worldFrom } from './worlds.ts';

const bridge = 'proof';
const shared = {
  4: { mac: '00:00:5e:00:01:0a', vip: '10.0.0.100' },
  6: { mac: '00:00:5e:00:02:0b', vip: '2001:db8::100' },
} as const;
type Family = keyof typeof shared;
const families: readonly Family[] = [4, 6];

const pipeline = pipelineInstall();
let driver: Driver;
beforeAll(async () => {
  driver = await startDriver(pipeline.install);
});
afterAll(async () => {
  await pipeline.close();
  await driver.stop();
});

const member = (n: number): PortText => ({
  id: `p${n}`,
  mac: `02:00:00:00:00:0${n}`,
  ips: [`10.0.0.1${n}`, `2001:db8::1${n}`],
  groups: ['open'],
  pairs: n === 1 ? [] : families.map((family) => [shared[family].vip, shared[family].mac] as const),
});
let records = 0;
/** Each time with newer records, so nothing that was learned before holds. */
const worldWith = (owners: readonly OwnerText[]): World => {
  records++;
  const newer = owners.map((each) => ({ ...each, generation: records }));
  return worldFrom({ ports: [1, 2, 3].map(member), rules: openGroup('open'), owners: newer });
};
const owner = (n: number, family: Family): OwnerText => ({
  port: `p${n}`,
  address: shared[family].vip,
  mac: shared[family].mac,
});

/** What a port sends when it takes the address over, in a form. */
const announcements = {
  request: (family: Family) => announcement(family, 1, shared[family].vip),
  reply: (family: Family) => announcement(family, 2, shared[family].vip),
  'reply to nobody': (family: Family) => announcement(family, 2, '0.0.0.0'),
} as const;

function announcement(family: Family, op: number, asked: string): Buffer {
  const from = mac(shared[family].mac);
  const vip = ip(shared[family].vip);
  if (family === 4)
    return arpFrame({ from, to: broadcastMac, op, sha: from, spa: vip, tha: noMac, tpa: ip(asked) });
  const layer = { from, to: mac('33:33:00:00:00:01'), src: vip, dst: ip('ff02::1'), hopLimit: 255 };
  const type = icmpv6Types.neighbourAdvertisement;
  return icmpFrame(layer, neighbourMessage(type, naFlags.override, vip, [targetOption(from)]));
}

const announce = async (n: number, family: Family, form: keyof typeof announcements = 'request') => {
  const sender = `p${n}` as PortId;
  const [seen] = await driver.run([{ sender, frames: [announcements[form](family)] }]);
  return [...(seen?.delivered ?? [])].sort().join();
};

let datagram = 0;
/** Who gets what the client sends to the shared MAC. */
async function receivers(family: Family): Promise<string> {
  const [src, from] = [ip(family === 4 ? '10.0.0.11' : '2001:db8::11'), mac('02:00:00:00:00:01')];
  const layer = { from, to: mac(shared[family].mac), src, dst: ip(shared[family].vip) };
  const frames = [udpFrame(layer, 20_000 + datagram++, 2000)];
  const [seen] = await driver.run([{ sender: 'p1' as PortId, frames }]);
  return [...(seen?.delivered ?? [])].sort().join();
}

/** The switch decides cached packets again some milliseconds later. */
const goesTo = (family: Family, expected: string) =>
  until(async () => (await receivers(family)) === expected, {
    timeout: 5000,
    what: `frames go to ${expected}`,
    interval: 5,
  });

const flowsOf = (table: TableName): Promise<string> =>
  driver.at.ofctl('dump-flows', driver.at.mgmt(bridge), `table=${tables[table].id}`);
const isEmpty = async (table: TableName): Promise<boolean> => !(await flowsOf(table)).includes('actions=');
/** For a second after a take-over nothing more is learned of the MAC. */
const settled = () =>
  until(() => isEmpty('claim_holds'), { timeout: 10_000, what: 'the hold ends', interval: 50 });

/** Nothing that was learned before counts. */
async function begin(owners: readonly OwnerText[]): Promise<void> {
  await driver.enter(worldWith(owners));
  await settled();
}

test.each(families)(
  'IPv%i: the announcement itself says who gets the frames, and the next one again',
  async (family) => {
    await begin([]);
    await goesTo(family, 'p2,p3');
    // The announcement itself goes to everybody.
    expect(await announce(2, family)).toBe('p1,p3');
    await goesTo(family, 'p2');
    await settled();
    for (let repeat = 0; repeat < 3; repeat++) await announce(2, family);
    await goesTo(family, 'p2');
    await announce(3, family);
    await goesTo(family, 'p3');
  },
);

test.each(['reply', 'reply to nobody'] as const)(
  'gratuitous ARP as a %s is an announcement too',
  async (form) => {
    await begin([owner(2, 4)]);
    await goesTo(4, 'p2');
    await announce(3, 4, form);
    await goesTo(4, 'p3');
  },
);

test('packets of the port before, counted later, do not win the frames back', async () => {
  await begin([owner(2, 4)]);
  await announce(2, 4);
  await settled();
  for (let repeat = 0; repeat < 5; repeat++) await announce(2, 4);
  await announce(3, 4);
  // The switch counts within half a second, and the hold lasts longer.
  await settled();
  expect(await receivers(4)).toBe('p3');
});

test('a newer record wins over what was learned, and what is learned after it over the record', async () => {
  await begin([owner(2, 4)]);
  await announce(3, 4);
  await goesTo(4, 'p3');
  await driver.change(worldWith([owner(2, 4)]), pipeline.install);
  await goesTo(4, 'p2');
  expect(await flowsOf('learned_macs')).not.toContain(shared[4].mac);
  await settled();
  await announce(3, 4);
  await goesTo(4, 'p3');
});

test('questions, probes, other traffic, and claims of others teach nothing', async () => {
  await begin([owner(2, 4)]);
  const from = mac(shared[4].mac);
  const vip = ip(shared[4].vip);
  const base = { from, to: broadcastMac, op: 1, sha: from, tha: noMac } as const;
  const asking = arpFrame({ ...base, spa: vip, tpa: ip('10.0.0.11') });
  const probing = arpFrame({ ...base, spa: ip('0.0.0.0'), tpa: vip });
  const layer = { from, to: mac('02:00:00:00:00:01'), src: vip, dst: ip('10.0.0.11') };
  const steps = [asking, probing, udpFrame(layer, 7, 8)].map((frame) => ({
    sender: 'p3' as PortId,
    frames: [frame],
  }));
  await driver.run(steps);
  // No pair allows it.
  await announce(1, 4);
  expect(await flowsOf('learned_macs')).not.toContain(shared[4].mac);
  expect(await receivers(4)).toBe('p2');
});
