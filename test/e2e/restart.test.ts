/**
 * The whole process ends, by kill -9 or in order, and starts again. A stream of a thousand packets a second
 * and new connections are not affected. An ovs-vswitchd that restarts gets its flows again without help.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { slowness, until } from '../lib/wait.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';

const echoPort = 7;
/** Seconds; slow enough for an emulated processor. */
const period = 0.001 * slowness;

let cloud: Cloud;
let sender: Member;
let receiver: Member;
let late: Member | undefined;
let streams = 9000;

/** The losses of a stream and of new connections of both families while `happens` runs. */
async function meanwhile(happens: () => Promise<void>) {
  streams += 1;
  const port = streams;
  const name = String(port);
  await receiver.probe.count(port);
  await sender.probe.stream(name, receiver.ip, port, period);
  const every = { period: 20 * period, timeout: 5 * slowness };
  await sender.probe.connections(`${name} v4`, receiver.ip, echoPort, every);
  await sender.probe.connections(`${name} v6`, receiver.ip6, echoPort, every);
  const flowing = async (more: number) => {
    const { sent } = await sender.probe.streamState(name);
    await until(async () => (await sender.probe.streamState(name)).sent > sent + more, { timeout: 30_000 });
  };
  await flowing(300);
  await happens();
  await flowing(300);
  const results = [
    ...(await sender.probe.connectionsEnd(`${name} v4`)),
    ...(await sender.probe.connectionsEnd(`${name} v6`)),
  ];
  const { sent, refused } = await sender.probe.streamEnd(name);
  expect(refused).toBe(0);
  // The receiver's process may still have packets to count.
  await until(async () => (await receiver.probe.counted(port, sent)).lost === 0, { timeout: 2000 }).catch(
    () => undefined,
  );
  return {
    stream: await receiver.probe.counted(port, sent),
    sent,
    connections: results.length,
    failed: results.filter(({ result }) => result !== 'ok'),
  };
}

async function losesNothing(happens: () => Promise<void>): Promise<void> {
  const { stream, sent, connections, failed } = await meanwhile(happens);
  expect({ lost: stream.lost, missing: stream.missing, failed }).toEqual({
    lost: 0,
    missing: [],
    failed: [],
  });
  expect(stream.seen).toBe(sent);
  expect(connections).toBeGreaterThan(20);
}

const flows = async () =>
  (await cloud.switch.ofctl('--no-stats', 'dump-flows', cloud.switch.mgmt('br-int'))).split('\n').sort();

describeRoot('restarts', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    [sender, receiver] = (await cloud.guests(net, { sender: {}, receiver: {} })) as [Member, Member];
    await receiver.probe.serve([echoPort]);
    await sender.probe.hold('throughout', receiver.ip, echoPort);
    await cloud.sync();
  });
  afterAll(() => cloud?.stop());

  test('kill -9 and start: nothing is lost, no connection fails, the flows are the same', async () => {
    const before = await flows();
    await losesNothing(async () => {
      await cloud.up.signal('SIGKILL');
      await cloud.startAgain();
      await cloud.sync();
    });
    expect(await flows()).toEqual(before);
    expect(await sender.probe.through('throughout')).toBe('ok');
  });

  test('SIGTERM and start: the process ends with 0, nothing is lost, no connection fails', async () => {
    const before = await flows();
    await losesNothing(async () => {
      expect(await cloud.up.signal('SIGTERM')).toBe(0);
      expect(await flows()).toEqual(before);
      await cloud.startAgain();
      await cloud.sync();
    });
    expect(await flows()).toEqual(before);
    expect(await sender.probe.through('throughout')).toBe('ok');
  });

  test('without a process the switch goes on guarding; afterwards changes work again', async () => {
    await cloud.up.signal('SIGKILL');
    expect(await sender.probe.tcp(receiver.ip, echoPort)).toBe('ok');
    await sender.run('ip', 'address', 'add', '192.0.2.200/32', 'dev', 'eth0');
    expect(await sender.pings(receiver.ip, '-I', '192.0.2.200')).toBe(false);
    await cloud.startAgain();
    await cloud.update('port', sender.id, { allowed_address_pairs: [{ ip_address: '192.0.2.200' }] });
    expect(await sender.pings(receiver.ip, '-I', '192.0.2.200')).toBe(true);
    await sender.run('ip', 'address', 'del', '192.0.2.200/32', 'dev', 'eth0');
  });

  test('acknowledged writes are there after kill -9, and ports plugged meanwhile work', async () => {
    const { network_id } = sender.port;
    const names = Array.from({ length: 50 }, (_, i) => `written-${i}`);
    await Promise.all(names.map((name) => cloud.create('port', { network_id, name })));
    await cloud.up.signal('SIGKILL');
    await cloud.startAgain();
    const { body } = await cloud.api('GET', '/v2.0/ports?fields=name');
    const present = (body as { ports: { name: string }[] }).ports.map(({ name }) => name);
    expect(present).toEqual(expect.arrayContaining(names));
    [late] = await cloud.guests(network_id, { late: {} });
    expect(await late?.pings(receiver.ip)).toBe(true);
  });

  test('kill -9 right after a change was answered: the change reaches the switch after the start', async () => {
    const { status } = await cloud.api('PUT', `/v2.0/ports/${receiver.id}`, {
      port: { security_groups: [] },
    });
    expect(status).toBe(200);
    await cloud.up.signal('SIGKILL');
    await cloud.startAgain();
    await cloud.sync();
    expect(await sender.probe.tcp(receiver.ip, echoPort, { timeout: 1 })).toBe('timeout');
    const { security_groups } = receiver.port;
    await cloud.update('port', receiver.id, { security_groups });
    expect(await sender.probe.tcp(receiver.ip, echoPort)).toBe('ok');
  });

  test.each(['graceful', 'kill'] as const)(
    'ovs-vswitchd restarts (%s) and gets its flows again',
    async (how) => {
      const before = await flows();
      const { stream, failed } = await meanwhile(async () => {
        await cloud.switch.restartVswitchd(how);
        await until(async () => (await flows()).join('\n') === before.join('\n'), {
          timeout: 20_000,
          what: 'the flows are there again',
          interval: 20,
        });
        await cloud.sync();
        await until(async () => (await sender.probe.tcp(receiver.ip, echoPort, { timeout: 1 })) === 'ok', {
          timeout: 20_000,
          what: 'traffic flows again',
        });
      });
      process.stdout.write(
        `ovs-vswitchd restart (${how}): ${stream.lost} packets lost, one every ${period * 1000} ms, longest gap ${Math.round(stream.gap * 1000)} ms, ${failed.length} connections failed\n`,
      );
      expect(await sender.pings(receiver.ip6)).toBe(true);
    },
  );
});
