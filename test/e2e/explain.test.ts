/**
 * `portcullis explain` for running guests. Its verdicts are those of real packets, it sees live connections,
 * and its suggested change lets the packet pass.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ExplainAnswer } from '../../src/cli/explain.ts';
import { describeRoot } from '../lib/netns.ts';
import { type Cloud, type Member, startCloud } from './cloud.ts';
import { isRefused, passes, tcp, udp } from './traffic.ts';

let cloud: Cloud;
let client: Member;
let server: Member;

const asked = async (...words: string[]): Promise<ExplainAnswer> =>
  JSON.parse(await cloud.cli('explain', client.id, ...words, '--json')) as ExplainAnswer;

/** Makes the suggested changes through the API, as an operator would. */
async function make({ changes }: ExplainAnswer): Promise<void> {
  expect(changes?.length).toBeGreaterThan(0);
  for (const { resource, id, attributes } of changes ?? [])
    if (id === null) await cloud.create(resource, attributes);
    else await cloud.write(resource, id, attributes);
  await cloud.sync();
}

describeRoot('portcullis explain', () => {
  beforeAll(async () => {
    cloud = await startCloud();
    const net = await cloud.network({}, '192.0.2.0/24', '2001:db8:7::/64');
    const out = await cloud.group('out', { out: true });
    const inward = await cloud.group('inward', { out: true });
    [client, server] = (await cloud.guests(net, {
      client: { security_groups: [out] },
      server: { security_groups: [inward] },
    })) as [Member, Member];
    await server.probe.serve([80, 81], [80]);
    await cloud.sync();
  });
  afterAll(() => cloud?.stop());

  test('names the drop, and the rule that allows it', async () => {
    await isRefused(cloud, 'ingress', tcp(client, server, 80));
    const before = await asked('tcp', `${server.ip}:80`);
    expect(before).toMatchObject({ result: 'dropped', connection: null, connections_read: true });
    expect(before.steps.at(-1)).toMatchObject({
      port: server.id,
      stage: 'ingress-rules',
      result: 'drop',
      reason: 'ingress-rules',
    });
    const text = await cloud.cli('explain', 'client', 'tcp', `${server.ip}:80`);
    expect(text).toMatch(/The packet is dropped: ingress-rules at server\./);
    expect(text).toMatch(/add a rule to security group .* of port server: .*port_range_min=80/);
    // A port that the packet never came to has its name in the changes too.
    const tagged = await cloud.cli('explain', 'client', 'tcp', `${server.ip}:80`, 'vlan=5');
    expect(tagged).toMatch(/update port client: .*\n +update port server: /);
    await make(before);
    await passes(tcp(client, server, 80));
    const after = await asked('tcp', `${server.ip}:80`);
    expect(after).toMatchObject({ result: 'delivered', changes: [] });
    expect(after.steps.find(({ stage }) => stage === 'ingress-rules')?.rule).toMatch(/^[0-9a-f-]{36}$/);
    await isRefused(cloud, 'ingress', tcp(client, server, 81), udp(client, server, 80));
  });

  test('reads live connections from the switch', async () => {
    await passes(tcp(client, server, 80));
    const [line] = await cloud.connections(client.ip, server.ip);
    const [, from] = /orig=\([^)]*sport=(\d+)/.exec(line ?? '') ?? [];
    if (from === undefined) throw new Error(`no TCP connection in ${line}`);
    const answer = await asked('tcp', `${server.ip}:80`, `sport=${from}`, 'flags=ack');
    expect(answer).toMatchObject({
      result: 'delivered',
      connection: { originators: [client.id], responders: [server.id] },
    });
    expect(answer.steps.map(({ reason }) => reason)).toContain('established');
    expect(answer.steps.map(({ reason }) => reason)).not.toContain('rule');
    const text = await cloud.cli('explain', 'client', 'tcp', `${server.ip}:80`, `sport=${from}`, 'flags=ack');
    expect(text).toMatch(/It belongs to a live connection of client to server\./);
  });

  test('a foreign address: names the pair that gives it', async () => {
    const forged = await asked('icmp', server.ip, 'src=192.0.2.77');
    expect(forged.steps.at(-1)).toMatchObject({ reason: 'ip-spoof', address: '192.0.2.77' });
    await make(forged);
    const after = await asked('icmp', server.ip, 'src=192.0.2.77');
    expect(after).toMatchObject({ result: 'delivered' });
    expect(after.steps[0]).toMatchObject({ reason: 'address-pair' });
  });

  test('the switch answers ARP by itself; a frame may be given as bytes', async () => {
    const arp = await asked('arp', server.ip);
    expect(arp).toMatchObject({ result: 'answered', receivers: [] });
    expect(await asked('--hex', arp.frame)).toMatchObject({ result: 'answered', frame: arp.frame });
    expect(await cloud.cli('explain', 'client', 'arp', server.ip)).toMatch(
      /The switch answers the packet itself/,
    );
  });

  test('errors name the mistake', async () => {
    await expect(cloud.cli('explain', 'client', 'tcp', server.ip)).rejects.toThrow(
      /exit 1: .*The packet needs a destination_port/,
    );
    await expect(cloud.cli('explain', 'client', 'nonsense')).rejects.toThrow(
      /exit 2: .*say where the packet goes/,
    );
    await expect(cloud.cli('explain', 'nobody', 'icmp', server.ip)).rejects.toThrow(
      /exit 1: .*no port has the name/,
    );
    await expect(cloud.cli('explain', 'client', 'icmp', '198.51.100.1')).rejects.toThrow(
      /exit 1: .*give destination_mac/,
    );
  });

  // Last, because they undo what holds the client.
  test.each([
    ['the gateway as a source', ['icmp', 'src=192.0.2.1'], { port_security_mode: 'mac-only' }],
    ["a DHCP server's answer", ['udp', 'dport=68', 'sport=67'], { dhcp_trusted: true }],
    ['a tagged frame', ['icmp', 'vlan=5'], { port_security_enabled: false }],
  ])('%s: the setting of the port that allows it', async (_name, [protocol = '', ...words], attributes) => {
    const refused = await asked(protocol, server.ip, ...words);
    expect(refused.result).toBe('dropped');
    expect(refused.changes?.[0]).toMatchObject({ resource: 'port', id: client.id, attributes });
    await make(refused);
    expect(await asked(protocol, server.ip, ...words)).toMatchObject({ result: 'delivered' });
  });
});
