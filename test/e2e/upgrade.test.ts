/**
 * The last release gives way to this one on a running switch: nothing is lost, no connection is cut, and flows change
 * once. Runs where `npm run test:upgrade` has built that release, and nowhere else.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { formerRelease } from '../lib/up-process.ts';
import { slowness, until } from '../lib/wait.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';

const echoPort = 7;
const streamPort = 9001;
/** Seconds; what an emulated processor can send as well. */
const period = 0.001 * slowness;

let cloud: Cloud;
let guests: Record<'one' | 'two' | 'open', Member>;
/** Who opens which connections to whom. The guest without port security has its lookups at the receiver. */
const pairs = [
  ['one', 'two'],
  ['two', 'one'],
  ['one', 'open'],
  ['open', 'two'],
] as const;
/** One a sender: what a guest sends waits in a buffer while a busy machine holds up the switch. */
const streams = pairs.filter(([from, to]) => !(from === 'one' && to === 'open'));

const flows = async () =>
  (await cloud.switch.ofctl('--no-stats', 'dump-flows', cloud.switch.mgmt('br-int'))).split('\n').sort();

async function metric(name: string): Promise<number> {
  const { body } = await cloud.api('GET', '/metrics');
  const [, value] = new RegExp(`^${name} (\\S+)$`, 'm').exec(String(body)) ?? [];
  if (value === undefined) throw new Error(`there is no metric ${name}`);
  return Number(value);
}

/** Whether each held connection still carries an echo. */
const heldConnections = () =>
  Promise.all(
    pairs.flatMap(([from, to]) =>
      ['v4', 'v6'].map((family) => guests[from].probe.through(`${from} ${to} ${family}`)),
    ),
  );
const allHeld = pairs.flatMap(() => ['ok', 'ok']);

/** Starts the process again amidst the streams; resolves with what they lost. */
async function lossesOfStart() {
  for (const [at, [from, to]] of streams.entries()) {
    const port = streamPort + at;
    await guests[to].probe.count(port);
    await guests[from].probe.stream(`to ${to}`, guests[to].ip, port, period);
  }
  const sentBy = async (more: number) => {
    for (const [from, to] of streams) {
      const { sent } = await guests[from].probe.streamState(`to ${to}`);
      await until(async () => (await guests[from].probe.streamState(`to ${to}`)).sent > sent + more, {
        timeout: 30_000 * slowness,
      });
    }
  };
  await sentBy(300);
  expect(await cloud.up.signal('SIGTERM')).toBe(0);
  await cloud.startAgain();
  await cloud.sync();
  await sentBy(500);
  return Promise.all(
    streams.map(async ([from, to], at) => {
      const { sent, refused } = await guests[from].probe.streamEnd(`to ${to}`);
      expect(refused).toBe(0);
      const port = streamPort + at;
      // The last packets may still be on their way through the receiver's process.
      await until(async () => (await guests[to].probe.counted(port, sent)).lost === 0, {
        timeout: 2000,
      }).catch(() => undefined);
      const { lost, missing } = await guests[to].probe.counted(port, sent);
      return { stream: `${from} to ${to}`, lost, missing };
    }),
  );
}

const noLosses = streams.map(([from, to]) => ({ stream: `${from} to ${to}`, lost: 0, missing: [] }));

const describeUpgrade = formerRelease === null ? describe.skip : describeRoot;

describeUpgrade('an upgrade', () => {
  beforeAll(async () => {
    cloud = await startCloud(formerRelease ?? undefined);
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    const group = await cloud.group('all', {
      out: true,
      rules: ['IPv4', 'IPv6'].map((ethertype) => ({ ethertype })),
    });
    const guarded = { security_groups: [group] };
    const [one, two, open] = await cloud.guests(net, {
      one: guarded,
      two: guarded,
      open: { port_security_enabled: false, security_groups: [] },
    });
    if (one === undefined || two === undefined || open === undefined) throw new Error('guests are missing');
    guests = { one, two, open };
    for (const guest of [one, two, open]) await guest.probe.serve([echoPort]);
    for (const [from, to] of pairs) {
      await guests[from].probe.hold(`${from} ${to} v4`, guests[to].ip, echoPort);
      await guests[from].probe.hold(`${from} ${to} v6`, guests[to].ip6, echoPort);
    }
    await cloud.sync();
  });
  afterAll(() => cloud?.stop());

  test('loses no packet, cuts no connection and changes flows once', async () => {
    const former = await flows();
    const connections = () => cloud.connections(guests.one.ip, guests.two.ip);
    const records = (await connections()).map((line) => /labels=\S+/.exec(line)?.[0]);
    expect(await heldConnections()).toEqual(allHeld);

    expect(await lossesOfStart()).toEqual(noLosses);
    expect(await heldConnections()).toEqual(allHeld);
    expect(await metric('portcullis_connections_cut_total')).toBe(0);
    const changed = await metric('portcullis_flows_changed_total');
    expect(changed).toBeGreaterThan(0);
    const upgraded = await flows();
    expect(upgraded).not.toEqual(former);
    process.stdout.write(
      `upgrade: ${former.length - 1} flows became ${upgraded.length - 1}, ${changed} put or removed\n`,
    );
    // The records name the ports by the same keys.
    for (const record of records)
      expect((await connections()).some((line) => line.includes(record ?? 'none'))).toBe(true);
    await cloud.cli('check');
  });

  test('is over with that: the next start changes no flow', async () => {
    const before = await flows();
    expect(await lossesOfStart()).toEqual(noLosses);
    expect(await heldConnections()).toEqual(allHeld);
    expect(await metric('portcullis_flows_changed_total')).toBe(0);
    expect(await metric('portcullis_connections_cut_total')).toBe(0);
    expect(await flows()).toEqual(before);
  });
});
