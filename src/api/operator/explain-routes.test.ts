import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Explanation } from '../../model/explanation.ts';
import { keys } from '../../model/keys.ts';
import type { AskRecord } from '../../model/records.ts';
import { formatIp } from '../../net/cidr.ts';
import { parseFrame } from '../../net/packet/frame.ts';
import { startAnsweringAgent } from '../testing/answering-agent.ts';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { livingHost } from '../testing/hosts.ts';
import { as, byName, type Person } from '../testing/people.ts';

let under: UnderTest;
let client: TestClient;
let stop: () => void;
let asked: AskRecord[];
let answer: Explanation;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
  asked = [];
  answer = {
    result: 'dropped',
    steps: [],
    receivers: [],
    connection: null,
    connections_read: true,
    hosts_answered: true,
    changes: null,
  };
  stop = startAnsweringAgent(under.store, 'h1', (question) => {
    asked.push(question);
    return { ...answer };
  });
});
afterEach(async () => {
  stop();
  await under.close();
});

const put = (key: string, value: unknown) =>
  under.store.txn([], [{ op: 'put', key, value: JSON.stringify(value) }]);

interface Cloud {
  readonly network: Json;
  readonly port: Json;
  readonly other: Json;
}

/** Two ports of a network with a router; a host has the first. `of` says whose ports they are. */
async function plug(by: TestClient = client, of: Json = {}): Promise<Cloud> {
  await under.store.txn([], livingHost('h1'));
  const network = await by.make('networks', { shared: true });
  for (const [cidr, gateway_ip] of [
    ['10.0.0.0/24', '10.0.0.1'],
    ['2001:db8::/64', '2001:db8::1'],
  ])
    await by.make('subnets', {
      network_id: network['id'],
      cidr,
      gateway_ip,
      ip_version: cidr?.includes(':') ? 6 : 4,
    });
  const addressed = (mac: string, four: string, six: string) =>
    by.make('ports', {
      ...of,
      network_id: network['id'],
      mac_address: mac,
      fixed_ips: [{ ip_address: four }, { ip_address: six }],
    });
  const port = await addressed('02:00:00:00:00:0a', '10.0.0.10', '2001:db8::a');
  const other = await addressed('02:00:00:00:00:0b', '10.0.0.11', '2001:db8::b');
  await addressed('02:00:00:00:00:01', '10.0.0.1', '2001:db8::1');
  await put(keys.binding(String(network['id']), String(port['id'])), { host: 'h1', status: 'ACTIVE' });
  await expect.poll(async () => (await by.show('ports', port['id']))['status']).toBe('ACTIVE');
  return { network, port, other };
}

const explain = (port: unknown, packet: Json, by: TestClient = client) =>
  by.call('POST', '/v1/explain', { port, packet });

describe('the frame', () => {
  /** What was asked about: addresses as an honest guest would send them. */
  async function walked(packet: Json) {
    const { port } = await plug();
    const { status, body } = await explain(port['id'], packet);
    expect(status).toBe(200);
    expect(asked).toMatchObject([{ kind: 'explain', port: port['id'], frame: body['frame'] }]);
    const frame = parseFrame(Buffer.from(String(body['frame']), 'hex'));
    if (frame === null) throw new Error('no frame');
    const { ethernet, ip, arp } = frame;
    const text = (address: { family: 4 | 6; bits: bigint } | undefined) =>
      address && formatIp(address.family, address.bits);
    return {
      macs: `${ethernet.src} > ${ethernet.dst}`,
      ips: ip === null ? `${text(arp?.spa)} > ${text(arp?.tpa)}` : `${text(ip.src)} > ${text(ip.dst)}`,
      sound: ip === null || (ip.sound && ip.upper !== null && (ip.upper.kind === 'other' || ip.upper.sound)),
      ip,
      ethernet,
    };
  }
  const me = '02:00:00:00:00:0a';

  it.each<[string, Json, string, string]>([
    [
      'to a neighbour',
      { protocol: 'tcp', destination_ip: '10.0.0.11', destination_port: 443 },
      '02:00:00:00:00:0b',
      '10.0.0.10 > 10.0.0.11',
    ],
    [
      'beyond the gateway',
      { protocol: 'udp', destination_ip: '192.0.2.5', destination_port: 53 },
      '02:00:00:00:00:01',
      '10.0.0.10 > 192.0.2.5',
    ],
    [
      'of IPv6',
      { protocol: 'icmp', destination_ip: '2001:db8::b' },
      '02:00:00:00:00:0b',
      '2001:db8::a > 2001:db8::b',
    ],
    [
      'between link-local addresses',
      { protocol: 'icmp', destination_ip: 'fe80::ff:fe00:b' },
      '02:00:00:00:00:0b',
      'fe80::ff:fe00:a > fe80::ff:fe00:b',
    ],
    [
      'to a group',
      { protocol: 'vrrp', destination_ip: '224.0.0.18' },
      '01:00:5e:00:00:12',
      '10.0.0.10 > 224.0.0.18',
    ],
    [
      'to all',
      { protocol: 'udp', destination_ip: '10.0.0.255', destination_port: 9 },
      'ff:ff:ff:ff:ff:ff',
      '10.0.0.10 > 10.0.0.255',
    ],
    [
      'of ARP',
      { protocol: 'arp', destination_ip: '10.0.0.11' },
      'ff:ff:ff:ff:ff:ff',
      '10.0.0.10 > 10.0.0.11',
    ],
    [
      'of an ARP reply',
      { protocol: 'arp', destination_ip: '10.0.0.11', operation: 'reply' },
      '02:00:00:00:00:0b',
      '10.0.0.10 > 10.0.0.11',
    ],
    [
      'of a solicitation',
      { protocol: 'nd', destination_ip: '2001:db8::b' },
      '33:33:ff:00:00:0b',
      '2001:db8::a > ff02::1:ff00:b',
    ],
    [
      'of SCTP',
      { protocol: 'sctp', destination_ip: '10.0.0.11', destination_port: 9 },
      '02:00:00:00:00:0b',
      '10.0.0.10 > 10.0.0.11',
    ],
  ])('%s', async (_name, packet, to, ips) => {
    expect(await walked(packet)).toMatchObject({ macs: `${me} > ${to}`, ips, sound: true });
  });

  it('has what the caller says', async () => {
    const { ethernet, ip } = await walked({
      protocol: 'tcp',
      source_ip: '10.0.0.99',
      destination_ip: '10.0.0.11',
      source_port: 7,
      destination_port: 8,
      tcp_flags: ['ack', 'fin'],
      source_mac: '02:00:00:00:00:99',
      destination_mac: '02:00:00:00:00:98',
      hop_limit: 3,
      vlan: 5,
    });
    expect(ethernet).toMatchObject({
      src: '02:00:00:00:00:99',
      dst: '02:00:00:00:00:98',
      tags: [{ tci: 5 }],
    });
    expect(ip).toMatchObject({ hopLimit: 3, upper: { srcPort: 7, dstPort: 8, flags: 17 } });
  });

  it('may be given whole', async () => {
    const { port } = await plug();
    const { body } = await client.call('POST', '/v1/explain', { port: port['id'], frame: 'FF:ff 00' });
    expect(body['frame']).toBe('ffff00');
  });
});

describe('a bad request', () => {
  it.each<[string, Json]>([
    ["A packet needs a 'protocol'", { destination_ip: '10.0.0.11' }],
    ["A packet needs a 'destination_ip'", { protocol: 'icmp' }],
    ["A packet has no field 'colour'", { colour: 1 }],
    ["Invalid protocol: 'nonsense' is not a protocol", { protocol: 'nonsense' }],
    ["Invalid destination_ip: '10.0.0' is not an IP address", { destination_ip: '10.0.0' }],
    ["Invalid source_mac: '02:00' is not a MAC address", { source_mac: '02:00' }],
    ['The packet needs a destination_port', { protocol: 'tcp', destination_ip: '10.0.0.11' }],
    [
      'Only TCP, UDP and SCTP have ports',
      { protocol: 'icmp', destination_ip: '10.0.0.11', destination_port: 1 },
    ],
    ['Only TCP has flags', { protocol: 'icmp', destination_ip: '10.0.0.11', tcp_flags: ['syn'] }],
    [
      'Only ICMP has a type, a code and an identifier',
      { protocol: 'udp', destination_ip: '10.0.0.11', destination_port: 1, icmp_type: 1 },
    ],
    ...(['arp', 'nd'] as const).flatMap((protocol): [string, Json][] => {
      const destination_ip = protocol === 'arp' ? '10.0.0.11' : '2001:db8::b';
      return [
        ['Only TCP, UDP and SCTP have ports', { protocol, destination_ip, destination_port: 80 }],
        ['Only TCP has flags', { protocol, destination_ip, tcp_flags: ['ack'] }],
        ['Only ICMP has a type, a code and an identifier', { protocol, destination_ip, icmp_code: 1 }],
      ];
    }),
    ['ARP has no hop limit', { protocol: 'arp', destination_ip: '10.0.0.11', hop_limit: 1 }],
    ['Only ARP has an operation', { protocol: 'nd', destination_ip: '2001:db8::b', operation: 'reply' }],
    ['Only ARP has an operation', { protocol: 'icmp', destination_ip: '10.0.0.11', operation: 'request' }],
    [
      '10.0.0.10 and 2001:db8::b are of different IP versions',
      { protocol: 'icmp', source_ip: '10.0.0.10', destination_ip: '2001:db8::b' },
    ],
    ['ARP asks for IPv4 addresses: use nd', { protocol: 'arp', destination_ip: '2001:db8::b' }],
    ['Neighbour discovery asks for IPv6 addresses: use arp', { protocol: 'nd', destination_ip: '10.0.0.11' }],
  ])('%s', async (message, packet) => {
    const { port } = await plug();
    expect(expectRefusal(await explain(port['id'], packet), 400, 'HTTPBadRequest')).toBe(message);
    expect(asked).toEqual([]);
  });

  it('has neither a packet nor a frame, or both, or something else', async () => {
    const { port } = await plug();
    const id = port['id'];
    const packet = { protocol: 'icmp', destination_ip: '10.0.0.11' };
    for (const body of [
      { port: id },
      { port: id, packet, frame: '00' },
      { port: id, frame: '0' },
      { port: id, frame: 'xy' },
      { port: id, frame: '00'.repeat(9217) },
      { port: id, packet: [] },
      { port: id, packet, more: 1 },
      { packet },
      [],
    ])
      expectRefusal(await client.call('POST', '/v1/explain', body), 400, 'HTTPBadRequest');
  });

  it('asks about a port that is not there, or nowhere', async () => {
    const packet = { protocol: 'icmp', destination_ip: '10.0.0.11' };
    expectRefusal(await explain('x', packet), 404, 'PortNotFound');
    const { other } = await plug();
    expectRefusal(await explain(other['id'], packet), 409, 'PortNotBound');
  });
});

describe('a packet for other hosts', () => {
  const step = (host: string, port: Json, reason: string, result: 'pass' | 'drop' = 'pass') => ({
    host,
    port: String(port['id']),
    stage: 'output',
    result,
    reason,
    rule: null,
    address: null,
  });
  const receiver = (port: Json, reason: string | null = null) =>
    ({ port: String(port['id']), result: reason === null ? 'pass' : 'drop', reason }) as const;
  const change = { resource: 'security_group_rule', id: null, port: null, attributes: {} } as const;
  const packet = { protocol: 'icmp', destination_ip: '10.0.0.11' };

  /** The sender's host sent it on to two ports, which these hosts have. Their agents answer as `of` says. */
  async function sentTo(
    hosts: readonly [string, string],
    of: (ports: Json[], host: string) => object | null,
  ) {
    const { network, port, other } = await plug();
    const more = await client.make('ports', { network_id: network['id'] });
    const ports = [port, other, more];
    await under.store.txn([], [...livingHost('h2'), ...livingHost('h3')]);
    for (const [at, each] of [other, more].entries())
      await put(keys.binding(String(network['id']), String(each['id'])), {
        host: hosts[at],
        status: 'ACTIVE',
      });
    await expect.poll(async () => (await client.show('ports', more['id']))['status']).toBe('ACTIVE');
    const steps = [other, more].map((each) => step('h1', each, 'sent-to-host'));
    answer = {
      ...answer,
      result: 'delivered',
      steps,
      receivers: [other, more].map((each) => receiver(each)),
    };
    const stops = ['h2', 'h3'].map((host) =>
      startAnsweringAgent(under.store, host, (question) => {
        const said =
          question.kind === 'explain' && question.arrival?.at.includes(host) ? of(ports, host) : null;
        return said === null ? {} : { ...answer, receivers: [], steps: [], changes: [], ...said };
      }),
    );
    const { status, body } = await explain(port['id'], packet);
    expect(status).toBe(200);
    for (const end of stops) end();
    return { body, ports, steps };
  }

  it('is followed there: the steps of all are one walk', async () => {
    const { body, ports, steps } = await sentTo(['h2', 'h3'], ([, two, three], host) => {
      const at = (host === 'h2' ? two : three) ?? {};
      const reason = host === 'h2' ? 'ingress-rules' : null;
      return {
        steps: [step(host, at, reason ?? 'delivered', reason === null ? 'pass' : 'drop')],
        receivers: [receiver(at, reason)],
      };
    });
    const [port = {}, two = {}, three = {}] = ports;
    const arrival = { from: 'h1', at: ['h2', 'h3'] };
    expect(asked.map((question) => 'arrival' in question && question.arrival)).toEqual([false, arrival]);
    expect(asked.every((question) => 'port' in question && question.port === port['id'])).toBe(true);
    expect(body).toMatchObject({
      result: 'delivered',
      steps: [...steps, step('h2', two, 'ingress-rules', 'drop'), step('h3', three, 'delivered')],
      receivers: [receiver(two, 'ingress-rules'), receiver(three)],
      hosts_answered: true,
      changes: [],
    });
  });

  it('is dropped when all of them drop it, and the change is the one that they name', async () => {
    const { body, ports } = await sentTo(['h2', 'h2'], (all) => ({
      receivers: all.slice(1).map((each) => receiver(each, 'ingress-rules')),
      changes: [change],
    }));
    expect(body).toMatchObject({
      result: 'dropped',
      receivers: ports.slice(1).map((each) => receiver(each, 'ingress-rules')),
      changes: [change],
    });
  });

  it('has no more than 16 hosts asked, because tenants may ask too', async () => {
    const { network, port } = await plug();
    const hosts = Array.from({ length: 20 }, (_, at) => `r${at + 10}`);
    const ports = await Promise.all(hosts.map(() => client.make('ports', { network_id: network['id'] })));
    for (const [at, each] of ports.entries())
      await put(keys.binding(String(network['id']), String(each['id'])), {
        host: hosts[at],
        status: 'ACTIVE',
      });
    const steps = ports.map((each) => step('h1', each, 'sent-to-host'));
    answer = { ...answer, result: 'delivered', steps, receivers: ports.map((each) => receiver(each)) };
    const last = String(ports.at(-1)?.['id']);
    await expect.poll(async () => (await client.show('ports', last))['binding:host_id']).toBe(hosts.at(-1));
    const { body } = await explain(port['id'], packet);
    expect(asked.flatMap((question) => ('arrival' in question ? [question.arrival] : []))).toEqual([
      { from: 'h1', at: hosts.slice(0, 16) },
    ]);
    expect(body).toMatchObject({ result: 'sent', hosts_answered: false });
  });

  it('is said to have left where no other host answers', async () => {
    const { body, steps } = await sentTo(['h2', 'h3'], () => null);
    expect(body).toMatchObject({ result: 'sent', steps, receivers: [], hosts_answered: false });
  });
});

describe('a tenant', () => {
  it('is told of ports that it sees, and nothing of hosts', async () => {
    const { api } = await under.server({ authenticator: byName });
    const by = (name: Person) => as(api, name);
    const { network, port, other } = await plug(by('admin'), { project_id: 'own' });
    const strangers = await by('admin').make('ports', { network_id: network['id'], project_id: 'foreign' });
    const step = (at: Json) => ({
      host: 'h1',
      port: String(at['id']),
      stage: 'egress-rules',
      result: 'pass' as const,
      reason: 'rule',
      rule: null,
      address: null,
    });
    answer = {
      ...answer,
      steps: [port, strangers, other].map(step),
      receivers: [strangers, other].map((at) => ({
        port: String(at['id']),
        result: 'drop',
        reason: 'ingress-rules',
      })),
      connection: { originators: [String(port['id'])], responders: [String(strangers['id'])] },
      changes: [
        { resource: 'port', id: String(strangers['id']), port: String(strangers['id']), attributes: {} },
      ],
    };
    const packet = { protocol: 'icmp', destination_ip: '10.0.0.11' };
    const told = async (name: Person) => (await explain(port['id'], packet, by(name))).body;
    expect(await told('admin')).toMatchObject(answer);
    expect(await told('owner')).toMatchObject({
      result: 'sent',
      steps: [port, other].map((at) => ({ ...step(at), host: null })),
      receivers: [{ port: other['id'] }],
      connection: { originators: [port['id']], responders: [] },
      changes: null,
    });
    expectRefusal(await explain(port['id'], packet, by('stranger')), 404, 'PortNotFound');
    // Whether a port that it does not see gets the packet, and has a connection, it cannot tell.
    const hidden = { port: String(strangers['id']), reason: null };
    answer = { ...answer, changes: [], connection: { originators: [hidden.port], responders: [] } };
    for (const result of ['pass', 'drop'] as const) {
      answer = {
        ...answer,
        result: result === 'pass' ? 'delivered' : 'dropped',
        receivers: [{ ...hidden, result }],
      };
      expect(await told('owner')).toMatchObject({
        result: 'sent',
        receivers: [],
        connection: null,
        changes: null,
      });
      expect(await told('admin')).toMatchObject(answer);
    }
    const own = { port: String(other['id']), result: 'pass', reason: null } as const;
    answer = { ...answer, receivers: [{ ...hidden, result: 'drop' }, own] };
    expect(await told('owner')).toMatchObject({ result: 'delivered', receivers: [own] });
  });
});
