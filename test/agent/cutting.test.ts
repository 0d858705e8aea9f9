/** Forbidden connections are cut before a sync is answered, one by one; no other connection is touched. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keys } from '../../src/model/keys.ts';
import type { AddressGroupRecord } from '../../src/model/records.ts';
import { formatIp } from '../../src/net/cidr.ts';
import { protocols, tcpFlags } from '../../src/net/packet/transport.ts';
import { parseConntrack } from '../../src/ovsdb/index.ts';
import type { Write } from '../../src/store/contract.ts';
import { echoFrame, ip, ipFrame, mac, sctpFrame, tcpFrame, udpFrame } from '../lib/frames.ts';
import { deletePort, networkWrites, type PortText, putPort, putRule, ruleRecord } from '../lib/records.ts';
import { type Lab, startLab } from './lab.ts';

type Kind = 'tcp' | 'udp' | 'echo' | 'sctp' | 'gre';

const macOf = (n: number) => `02:00:00:00:00:0${n}`;
const six = (n: number) => `fd00::${n}`;
const four = (n: number) => `10.0.0.${n}`;
const port = (n: number, groups: readonly string[], changes: PortText['changes'] = {}): Write =>
  putPort({ id: `p${n}`, mac: macOf(n), ips: [four(n), six(n)], groups, changes });
const pair = (n: number, address: string) => ({ ip_address: address, mac_address: macOf(n) });

/** All egress, in two halves: a group that allows everything at once would not be tracked. */
const out = (group: string): Write[] =>
  ['0.0.0.0/1', '128.0.0.0/1', '::/1', '8000::/1'].map((remote_ip_prefix, at) =>
    putRule(
      ruleRecord(`${group}-out-${at}`, group, 'egress', {
        remote_ip_prefix,
        ethertype: at < 2 ? 'IPv4' : 'IPv6',
      }),
    ),
  );
const into = (id: string, group: string, changes: Parameters<typeof ruleRecord>[3]): Write =>
  putRule(ruleRecord(id, group, 'ingress', changes));
const noRule = (id: string, group: string): Write => ({ op: 'delete', key: keys.rule(group, id) });
const web = { protocol: 'tcp', port_range_min: 80, port_range_max: 80 };

let lab: Lab;
beforeEach(async () => {
  lab = await startLab({ dummy: true });
  await lab.write(...networkWrites(), ...out('out'));
});
afterEach(() => lab.stop());

async function start(...writes: readonly Write[]): Promise<void> {
  await lab.write(...writes);
  await lab.startAgent();
  for (const n of [1, 2, 3]) await lab.plug(`p${n}`, `tap${n}`, 10 + n);
  for (const n of [1, 2, 3]) await lab.bound(`p${n}`, 'ACTIVE');
  await lab.sync();
}

/** Opens a connection with real frames from one tap to another, in both directions, so that it is established. */
async function open(
  kind: Kind,
  [from, src]: readonly [number, string],
  [to, dst]: readonly [number, string],
  service = 80,
): Promise<string> {
  const there = { from: mac(macOf(from)), to: mac(macOf(to)), src: ip(src), dst: ip(dst) };
  const back = { from: there.to, to: there.from, src: there.dst, dst: there.src };
  const talk: Record<Kind, readonly [Buffer, Buffer, Buffer?]> = {
    tcp: [
      tcpFrame(there, 4000, service, tcpFlags.syn),
      tcpFrame(back, service, 4000, tcpFlags.syn | tcpFlags.ack, { ack: 1001 }),
      tcpFrame(there, 4000, service, tcpFlags.ack, { seq: 1001, ack: 1001 }),
    ],
    udp: [udpFrame(there, 4000, service), udpFrame(back, service, 4000)],
    echo: [echoFrame(there, 'request'), echoFrame(back, 'reply')],
    sctp: [sctpFrame(there, 4000, service), sctpFrame(back, service, 4000)],
    gre: [ipFrame(there, protocols.gre, Buffer.alloc(8)), ipFrame(back, protocols.gre, Buffer.alloc(8))],
  };
  for (const [at, frame] of talk[kind].entries())
    if (frame !== undefined) await lab.switch.inject(`tap${at % 2 === 0 ? from : to}`, [frame]);
  const numbers = { tcp: 6, udp: 17, echo: src.includes(':') ? 58 : 1, sctp: 132, gre: 47 };
  const detail = kind === 'tcp' || kind === 'udp' ? ` ${service}` : '';
  return `${numbers[kind]} ${src} ${dst}${detail}`;
}

/** All connections that the switch tracks, in the form of `open`. */
async function live(): Promise<string[]> {
  const { entries, unreadable } = parseConntrack(await lab.switch.control.dumpConntrack());
  expect(unreadable).toEqual([]);
  return entries
    .map(({ protocol, original: { src, dst, layer4 } }) => {
      const detail = layer4.kind === 'ports' && layer4.dst !== 0 ? ` ${layer4.dst}` : '';
      return `${protocol} ${formatIp(src.family, src.bits)} ${formatIp(dst.family, dst.bits)}${detail}`;
    })
    .sort();
}

/** Makes a change. Expects that exactly these connections are gone when a sync is answered. */
async function cuts(gone: readonly string[], ...change: readonly Write[]): Promise<void> {
  const before = await live();
  for (const connection of gone) expect(before).toContain(connection);
  await lab.write(...change);
  expect(await lab.sync()).toMatchObject({ cut: gone.length });
  expect(await live()).toEqual(before.filter((connection) => !gone.includes(connection)));
}

describe('exactly what is forbidden goes when', () => {
  test('a rule is removed', async () => {
    await start(
      port(1, ['out']),
      port(2, ['web']),
      port(3, ['web', 'more']),
      into('w', 'web', web),
      into('u', 'web', { protocol: 'udp' }),
      into('m', 'more', { ...web, remote_ip_prefix: '10.0.0.0/24' }),
    );
    const first = await open('tcp', [1, four(1)], [2, four(2)]);
    await open('tcp', [1, four(1)], [3, four(3)]);
    await open('udp', [1, four(1)], [2, four(2)], 53);
    await cuts([first], noRule('w', 'web'));
    // The answer counts each cut once, and has the total.
    expect(await lab.sync()).toEqual({ cut: 0, cut_total: 1 });
    expect(lab.agent.status.connectionsCut).toBe(1);
    expect(lab.logged('no longer allowed were cut')).toMatchObject([
      { level: 30, network: 'n1', looked: 3, cut: 1 },
    ]);
  });

  test('a rule of the sender is removed', async () => {
    await start(
      ...[1, 3].map((n) => port(n, ['send'])),
      port(2, ['web']),
      into('w', 'web', { protocol: 'udp' }),
      putRule(ruleRecord('s', 'send', 'egress', { protocol: 'udp', port_range_min: 50, port_range_max: 59 })),
      putRule(ruleRecord('t', 'send', 'egress', { protocol: 'udp', port_range_min: 60, port_range_max: 69 })),
    );
    const first = await open('udp', [1, four(1)], [2, four(2)], 53);
    const second = await open('udp', [3, four(3)], [2, four(2)], 53);
    await open('udp', [1, four(1)], [2, four(2)], 63);
    await cuts([first, second], noRule('s', 'send'));
  });

  test('a port loses a group', async () => {
    await start(
      port(1, ['out']),
      port(2, ['web', 'dns']),
      port(3, ['web']),
      into('w', 'web', web),
      into('d', 'dns', { protocol: 'udp' }),
    );
    const first = await open('tcp', [1, four(1)], [2, four(2)]);
    await open('tcp', [1, four(1)], [3, four(3)]);
    await open('udp', [1, four(1)], [2, four(2)], 53);
    await cuts([first], port(2, ['dns']));
    await cuts(['17 10.0.0.1 10.0.0.2 53'], port(2, []));
  });

  test('a member leaves a remote group, or is deleted', async () => {
    await start(
      ...[1, 3].map((n) => port(n, ['out', 'club'])),
      port(2, ['web']),
      into('w', 'web', { ...web, remote_group_id: 'club' }),
      into('v', 'web', { ...web, ethertype: 'IPv6', remote_group_id: 'club' }),
    );
    const first = await open('tcp', [1, four(1)], [2, four(2)]);
    const second = await open('tcp', [1, six(1)], [2, six(2)]);
    const third = await open('tcp', [3, four(3)], [2, four(2)]);
    await cuts([first, second], port(1, ['out']));
    await cuts([third], ...deletePort('p3'));
  });

  test('a pair or an address is removed, on either side', async () => {
    const pairs = { allowed_address_pairs: [pair(1, four(77))] };
    const others = { allowed_address_pairs: [pair(2, four(88))] };
    await start(port(1, ['out'], pairs), port(2, ['web'], others), port(3, ['web']), into('w', 'web', web));
    const sent = await open('tcp', [1, four(77)], [2, four(2)]);
    const heard = await open('tcp', [1, four(1)], [2, four(88)]);
    const own = await open('tcp', [1, four(1)], [2, four(2)]);
    await open('tcp', [1, four(1)], [3, four(3)]);
    await cuts([sent], port(1, ['out']));
    await cuts([heard], port(2, ['web']));
    await cuts([own], putPort({ id: 'p2', mac: macOf(2), ips: [four(9)], groups: ['web'] }));
  });

  test('a member gets fewer addresses, or another port gets an address of its prefix', async () => {
    const wide = (address: string) => ({ allowed_address_pairs: [pair(1, address)] });
    await start(
      port(1, ['out', 'club'], wide('10.0.0.64/26')),
      port(2, ['web']),
      port(3, ['out']),
      into('w', 'web', { ...web, remote_group_id: 'club' }),
    );
    const taken = await open('tcp', [1, four(70)], [2, four(2)]);
    const lost = await open('tcp', [1, four(100)], [2, four(2)]);
    await open('tcp', [1, four(71)], [2, four(2)]);
    await cuts([taken], putPort({ id: 'far', mac: macOf(9), ips: [four(70)], groups: ['out'] }));
    await cuts([lost], port(1, ['out', 'club'], wide('10.0.0.64/27')));
  });

  test('an address group is narrowed', async () => {
    const few = (...addresses: string[]): Write => {
      const record: Pick<AddressGroupRecord, 'id' | 'addresses'> = { id: 'few', addresses };
      return { op: 'put', key: keys.addressGroup('few'), value: JSON.stringify(record) };
    };
    await start(
      ...[1, 3].map((n) => port(n, ['out'])),
      port(2, ['web']),
      few(`${four(1)}/32`, `${four(3)}/32`),
      into('w', 'web', { ...web, remote_address_group_id: 'few' }),
    );
    const first = await open('tcp', [1, four(1)], [2, four(2)]);
    await open('tcp', [3, four(3)], [2, four(2)]);
    await cuts([first], few(`${four(3)}/32`));
  });

  test('port security is enabled', async () => {
    await start(
      port(1, [], { port_security_enabled: false }),
      port(2, ['web']),
      port(3, [], { port_security_enabled: false }),
      into('w', 'web', web),
    );
    const foreign = await open('tcp', [1, four(99)], [2, four(2)]);
    await open('tcp', [1, four(1)], [2, four(2)]);
    const other = await open('tcp', [3, four(3)], [2, four(2)]);
    await cuts([foreign], port(1, ['out']));
    await cuts([other], port(3, []));
  });

  test('a port is set down', async () => {
    await start(...[1, 3].map((n) => port(n, ['out'])), port(2, ['web']), into('w', 'web', web));
    const first = await open('tcp', [1, four(1)], [2, four(2)]);
    await open('tcp', [3, four(3)], [2, four(2)]);
    await cuts([first], port(1, ['out'], { admin_state_up: false }));
  });
});

test('connections of every kind and family are cut one by one', async () => {
  const all = (n: number, ethertype: string): Write =>
    into(`all-${n}-${ethertype}`, 'all', {
      ethertype: ethertype as 'IPv4',
      remote_ip_prefix: ethertype === 'IPv4' ? `${four(n)}/32` : `${six(n)}/128`,
    });
  const families = ['IPv4', 'IPv6'];
  await start(
    ...[1, 3].map((n) => port(n, ['out'])),
    port(2, ['all']),
    ...families.flatMap((family) => [all(1, family), all(3, family)]),
  );
  const gone: string[] = [];
  for (const kind of ['tcp', 'udp', 'echo', 'sctp', 'gre'] as const) {
    for (const addressOf of [four, six]) {
      gone.push(await open(kind, [1, addressOf(1)], [2, addressOf(2)]));
      await open(kind, [3, addressOf(3)], [2, addressOf(2)]);
    }
  }
  expect(await live()).toHaveLength(20);
  await cuts(gone, ...families.map((family) => noRule(`all-1-${family}`, 'all')));
});

test('growth asks the switch nothing', async () => {
  await start(
    port(1, ['out', 'club']),
    port(2, ['web']),
    port(3, ['out']),
    into('w', 'web', { ...web, remote_group_id: 'club' }),
  );
  await open('tcp', [1, four(1)], [2, four(2)]);
  const looks = () => lab.lines.filter(({ looked }) => looked !== undefined).length;
  const before = looks();
  await lab.write(into('x', 'web', { protocol: 'udp' }));
  await lab.write(port(3, ['out', 'club', 'other']));
  await lab.write(putPort({ id: 'far', mac: macOf(9), ips: [four(9)], groups: ['club'] }));
  await lab.write(port(1, ['out', 'club'], { allowed_address_pairs: [pair(1, four(77))], name: 'renamed' }));
  await lab.write(into('w', 'web', { ...web, remote_group_id: 'club', description: 'said anew' }));
  expect(await lab.sync()).toEqual({ cut: 0, cut_total: 0 });
  expect(looks()).toBe(before);
  await lab.write(putPort({ id: 'far', mac: macOf(9), ips: [four(9)], groups: [] }));
  expect(await lab.sync()).toEqual({ cut: 0, cut_total: 0 });
  expect(looks()).toBe(before + 1);
});

test('connections that became forbidden while no agent ran are cut at its start', async () => {
  await start(
    ...[1, 3].map((n) => port(n, ['out'])),
    port(2, ['a', 'b']),
    into('w', 'a', web),
    into('u', 'b', {}),
  );
  const first = await open('tcp', [1, four(1)], [2, four(2)]);
  const other = await open('udp', [3, four(3)], [2, four(2)]);
  await lab.stopAgent();
  await lab.write(noRule('u', 'b'));
  await lab.startAgent();
  expect(await lab.sync()).toEqual({ cut: 1, cut_total: 1 });
  expect(await live()).toEqual([first]);
  expect(other).toContain('17 ');
});

test('connections of a port that was away while its rule was removed are cut when it comes back', async () => {
  await start(
    port(1, ['out']),
    port(2, ['web']),
    port(3, ['other']),
    into('w', 'web', web),
    into('o', 'other', web),
  );
  const first = await open('tcp', [1, four(1)], [2, four(2)]);
  const other = await open('tcp', [1, four(1)], [3, four(3)]);
  await lab.unplug('tap2');
  await lab.bound('p2', 'DOWN');
  await lab.sync();
  expect(await live()).toEqual([first, other]);
  await lab.write(noRule('w', 'web'));
  await lab.sync();
  await lab.plug('p2', 'tap2', 22);
  await lab.bound('p2', 'ACTIVE');
  expect(await lab.sync()).toMatchObject({ cut: 1 });
  expect(await live()).toEqual([other]);
});

test("a port with a deleted port's address inherits no connection", async () => {
  await start(port(1, ['out']), port(2, ['web']), port(3, ['web']), into('w', 'web', web));
  const first = await open('tcp', [1, four(1)], [2, four(2)]);
  const heir = putPort({ id: 'heir', mac: macOf(2), ips: [four(2)], groups: ['none'] });
  await cuts([first], ...deletePort('p2'), heir);
  await lab.switch.vsctl('set', 'Interface', 'tap2', 'external_ids:iface-id=heir');
  await lab.bound('heir', 'ACTIVE');
  await lab.sync();
  const capture = lab.switch.capture('tap2');
  capture.take();
  const link = { from: mac(macOf(1)), to: mac(macOf(2)), src: ip(four(1)), dst: ip(four(2)) };
  await lab.switch.inject('tap1', [tcpFrame(link, 4000, 80, tcpFlags.ack, { seq: 1001, ack: 1001 })]);
  expect(capture.take()).toEqual([]);
  expect(await live()).toEqual([]);
});

test.each([
  ['on another machine', null],
  ['whose control socket is not there', '/nonexistent'],
])('of a switch %s all connections of the network are cut, which is logged', async (_, rundir) => {
  await start(
    port(1, ['out']),
    port(2, ['a', 'b']),
    port(3, ['out']),
    into('w', 'a', web),
    into('u', 'b', {}),
  );
  await lab.stopAgent();
  await lab.startAgent({ rundir });
  await lab.sync();
  await open('tcp', [1, four(1)], [2, four(2)]);
  await open('udp', [1, four(1)], [2, four(2)]);
  expect(await live()).toHaveLength(2);
  await lab.write(noRule('u', 'b'));
  await lab.sync();
  expect(await live()).toEqual([]);
  expect(lab.logged('all of the network were cut')).toContainEqual(
    expect.objectContaining({ level: 40, network: 'n1' }),
  );
});
