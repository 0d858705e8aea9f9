/** Two projects on one shared network, with their default groups and groups of their own. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { describeRoot } from '../lib/netns.ts';
import { type Attributes, type Cloud, type Member, type Port, startCloud } from './cloud.ts';
import { isRefused, passes, ping, tcp, udp } from './traffic.ts';

let cloud: Cloud;
let red: Member;
let redToo: Member;
let blue: Member;
let names = 0;

const echo = { protocol: 'icmp', port_range_min: 8, port_range_max: 0 };
const web = { protocol: 'tcp', port_range_min: 80, port_range_max: 80 };

const group = (...rules: readonly Attributes[]): Promise<string> => {
  names += 1;
  return cloud.group(`group-${names}`, { rules });
};

describeRoot('tenants', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({ shared: true }, '192.0.2.0/24');
    const [project_id, other] = [randomUUID().replaceAll('-', ''), randomUUID().replaceAll('-', '')];
    [red, redToo, blue] = (await cloud.guests(net, {
      red: { project_id },
      'red-too': { project_id },
      blue: { project_id: other },
    })) as [Member, Member, Member];
    for (const { probe } of [red, redToo, blue]) await probe.serve([80, 81], [80]);
  });
  afterAll(() => cloud?.stop());
  beforeEach(async () => {
    for (const { id, port } of [red, redToo, blue])
      await cloud.write('port', id, { security_groups: port.security_groups });
    await cloud.sync();
  });

  test("a project's ports reach each other, and those of another only after a rule of the receiver", async () => {
    expect(red.port.security_groups).toEqual(redToo.port.security_groups);
    expect(red.port.security_groups).not.toEqual(blue.port.security_groups);
    const both = (from: Member, to: Member) => [ping(from, to), tcp(from, to, 80)];
    await passes(...both(red, redToo), ...both(redToo, red));
    await isRefused(cloud, 'ingress', ...both(red, blue), ...both(blue, red), ...both(blue, redToo));
    // A rule for ingress to red opens nothing in the other direction.
    await cloud.groupsOf(red, ...red.port.security_groups, await group(web));
    await passes(tcp(blue, red, 80));
    await isRefused(cloud, 'ingress', tcp(blue, red, 81), tcp(red, blue, 80), tcp(blue, redToo, 80));
  });

  test("a port with a new group has that group's rights, and no longer the old one's", async () => {
    const old = red.port.security_groups;
    await passes(ping(redToo, red), tcp(redToo, red, 81));
    await isRefused(cloud, 'ingress', tcp(blue, red, 80));
    await cloud.groupsOf(red, await group(web));
    await passes(tcp(blue, red, 80), tcp(redToo, red, 80));
    await isRefused(cloud, 'ingress', ping(redToo, red), tcp(redToo, red, 81));
    const { body } = await cloud.api('GET', `/v2.0/ports/${red.id}`);
    expect((body as { port: Port }).port.security_groups).not.toEqual(old);
  });

  test('two groups: a port without either rule, with one, with both', async () => {
    const [pings, webs] = [await group(echo), await group(web)];
    await cloud.groupsOf(red, await group());
    await isRefused(cloud, 'ingress', ping(blue, red), tcp(blue, red, 80));
    await cloud.groupsOf(red, webs);
    await passes(tcp(blue, red, 80));
    await isRefused(cloud, 'ingress', ping(blue, red));
    await cloud.groupsOf(red, webs, pings);
    await passes(tcp(blue, red, 80), ping(blue, red));
    await isRefused(cloud, 'ingress', tcp(blue, red, 81), udp(blue, red, 80));
    await cloud.groupsOf(red, pings);
    await passes(ping(blue, red));
    await isRefused(cloud, 'ingress', tcp(blue, red, 80));
  });

  test('a prefix lets its members in, whatever its host bits, and no others', async () => {
    await cloud.groupsOf(red, await group({ protocol: 'tcp', remote_ip_prefix: `${blue.ip}/32` }));
    await passes(tcp(blue, red, 80));
    await isRefused(cloud, 'ingress', tcp(redToo, red, 80), ping(blue, red));
    await cloud.groupsOf(red, await group({ protocol: 'tcp', remote_ip_prefix: '198.51.100.0/24' }));
    await isRefused(cloud, 'ingress', tcp(blue, red, 80), tcp(redToo, red, 80));
    await cloud.groupsOf(red, await group({ protocol: 'tcp', remote_ip_prefix: '192.0.2.77/24' }));
    await passes(tcp(blue, red, 80), tcp(redToo, red, 80));
    await isRefused(cloud, 'ingress', udp(blue, red, 80));
  });

  test.each([
    ['1', ping, tcp],
    ['6', tcp, udp],
    ['17', udp, ping],
  ] as const)('protocol %s by its number alone', async (protocol, allowed, other) => {
    const of = (exchange: typeof allowed) =>
      exchange === ping ? ping(blue, red) : (exchange as typeof tcp | typeof udp)(blue, red, 80);
    await cloud.groupsOf(red, await group({ protocol }));
    await passes(of(allowed));
    await isRefused(cloud, 'ingress', of(other));
  });
});
