/** Rights are taken from live connections between guests and given back, with the kernel's own TCP. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { dropTimeout } from '../lib/probe.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';

let cloud: Cloud;
let net: string;
let out: string;
let client: Member;
let server: Member;
let other: Member;

interface Synced {
  readonly cut: number;
  readonly cut_total: number;
}
/** The answer of the next sync, after changes that are only written. */
const synced = async (): Promise<Synced> => (await cloud.sync()) as Synced;
const groups = (member: Member, ...security_groups: readonly string[]) =>
  cloud.write('port', member.id, { security_groups });

describeRoot('tightening', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    out = await cloud.group('out', { out: true });
    const attributes = { security_groups: [out] };
    [client, server, other] = (await cloud.guests(net, {
      client: attributes,
      server: attributes,
      other: attributes,
    })) as [Member, Member, Member];
    await Promise.all([server, other].map(({ probe }) => probe.serve([80], [80])));
  });
  afterAll(() => cloud?.stop());

  test('one TCP connection stops when the group is detached, and goes on when it is attached again', async () => {
    const web = await cloud.group('web', {
      rules: [{ protocol: 'tcp' }, { protocol: 'tcp', ethertype: 'IPv6' }],
    });
    await groups(server, web);
    await groups(other, web);
    await cloud.sync();
    await client.probe.hold('held', server.ip, 80);
    await client.probe.hold('held6', server.ip6, 80);
    await client.probe.hold('neighbour', other.ip, 80);
    for (const name of ['held', 'held6', 'neighbour']) expect(await client.probe.through(name)).toBe('ok');

    await groups(server);
    const { cut, cut_total } = await synced();
    expect(cut).toBe(2);
    expect(await client.probe.through('held', dropTimeout)).toBe('timeout');
    expect(await client.probe.through('held6', dropTimeout)).toBe('timeout');
    expect(await client.probe.through('neighbour')).toBe('ok');

    await groups(server, web);
    expect(await synced()).toMatchObject({ cut: 0, cut_total });
    for (const name of ['held', 'held6', 'neighbour']) expect(await client.probe.through(name)).toBe('ok');
    expect(await cloud.cli('sync')).toBe('in sync\n');

    await groups(server);
    expect(await cloud.cli('sync')).toBe('in sync, 2 connections cut\n');
    const { body } = await cloud.api('GET', '/metrics');
    expect(String(body)).toMatch(new RegExp(`^portcullis_connections_cut_total ${cut_total + 2}$`, 'm'));
    expect(String(body)).toMatch(/^portcullis_connection_cutting_seconds_total 0\.\d+/m);
  });

  test("a new port with a deleted port's address inherits none of its connections", async () => {
    const web = await cloud.group('web again', { rules: [{ protocol: 'tcp' }] });
    const [old] = (await cloud.guests(net, { old: { security_groups: [web] } })) as [Member];
    await old.probe.serve([80]);
    await cloud.sync();
    await client.probe.hold('inherited', old.ip, 80);
    expect(await client.probe.through('inherited')).toBe('ok');
    const fixed_ips = old.port.fixed_ips.map(({ ip_address }) => ({ ip_address }));
    await cloud.cli('guest', 'del', old.id);
    await cloud.delete('port', old.id);
    const [heir] = (await cloud.guests(net, {
      heir: { security_groups: [out], mac_address: old.mac, fixed_ips },
    })) as [Member];
    expect(heir.ip).toBe(old.ip);
    await heir.probe.serve([80]);
    await heir.probe.sniff('inherited');
    expect(await client.probe.through('inherited', dropTimeout)).toBe('timeout');
    const tcp = (await heir.probe.sniffed('inherited')).filter(
      ({ frame }) => frame.readUInt16BE(12) === 0x0800 && frame[23] === 6,
    );
    expect(tcp).toEqual([]);
  });
});
