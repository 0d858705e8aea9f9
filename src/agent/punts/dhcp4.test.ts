/** The answers of the built-in DHCPv4 server, message by message. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { ip, mac, net, udpFrame } from '../../../test/lib/frames.ts';
import { setKeys, zone } from '../../../test/lib/keys.ts';
import { networkFrom, portFrom } from '../../../test/proofs/worlds.ts';
import { broadcast4, formatIp } from '../../net/cidr.ts';
import { broadcastMac } from '../../net/mac.ts';
import { buildDhcp, type Dhcp, emptyDhcp, parseDhcp } from '../../net/packet/dhcp.ts';
import { parseFrame } from '../../net/packet/frame.ts';
import { Pipeline } from '../../pipeline/flow-derivation.ts';
import type { NetworkId, SubnetId } from '../../policy/world.ts';
import { dhcp4 } from './dhcp4.ts';
import { defaultDhcpSettings } from './dhcp4-configuration.ts';
import type { PuntOutcome } from './handler.ts';

const network = 'n1' as NetworkId;
const own = mac('02:00:00:00:00:01');
const port = portFrom({ id: 'p', mac: own, ips: ['10.0.0.10', '10.0.1.10', 'fd00::10'] });
const subnet = (n: number, changes = {}) => ({
  id: `s${n}` as SubnetId,
  network,
  cidr: net(`10.0.${n}.0/24`),
  gateway: ip(`10.0.${n}.1`),
  gatewayMac: null,
  dhcp: true,
  advertised: false,
  ...changes,
});

let pipeline: Pipeline;
beforeEach(() => {
  pipeline = new Pipeline({ abilities: { answersNd: true, meterSpread: 1 } });
  const { facts } = pipeline;
  facts.networks.set(network, networkFrom({ id: network, mtu: 1442 }));
  facts.zones.set(network, zone(1));
  for (const each of [subnet(0), subnet(1)]) facts.subnets.set(each.id, each);
  facts.dhcpSubnets.set('s0' as SubnetId, {
    stateful: false,
    advertisedMode: null,
    dnsServers: [ip('192.0.2.53')],
    routes: [{ destination: net('10.9.0.0/16'), nexthop: ip('10.0.0.9') }],
  });
  facts.ports.set(port.id, port);
  facts.ofports.set(port.id, 1);
  setKeys(facts, [network], [port]);
  pipeline.run();
});

const byte = (value: number) => Buffer.from([value]);
const bytes = (address: string) => Buffer.from(address.split('.').map(Number));
type Options = Readonly<Record<number, Buffer>>;

function outcomeOf(
  options: Options,
  header: Partial<Dhcp> = {},
  settings = defaultDhcpSettings,
): PuntOutcome {
  const request = buildDhcp({
    ...emptyDhcp,
    op: 1,
    xid: 7,
    chaddr: own,
    ...header,
    options: Object.entries(options).map(([code, data]) => ({ code: Number(code), data })),
  });
  const link = { from: own, to: broadcastMac, src: header.ciaddr ?? ip('0.0.0.0'), dst: broadcast4 };
  const local = pipeline.relations.locals.get(port.id);
  if (local === undefined) throw new Error('no local port');
  return dhcp4(settings).handle({ data: udpFrame(link, 68, 67, request), local, fields: {} }, pipeline);
}

/** The one answer: header and options as text. */
function answerTo(...asked: Parameters<typeof outcomeOf>) {
  const outcome = outcomeOf(...asked);
  if (outcome.kind !== 'answered') return outcome.kind;
  const frame = parseFrame(Buffer.from(outcome.packets[0] ?? []));
  const upper = frame?.ip?.upper;
  const message = upper?.kind === 'segment' ? parseDhcp(upper.payload) : null;
  if (frame?.ip === null || frame === null || upper?.kind !== 'segment' || message === null)
    throw new Error('not a DHCP message');
  expect([upper.srcPort, upper.dstPort, upper.sound, message.xid]).toEqual([67, 68, true, 7]);
  return {
    to: `${frame.ethernet.dst} ${formatIp(4, frame.ip.dst.bits)}`,
    from: formatIp(4, frame.ip.src.bits),
    address: formatIp(4, message.yiaddr.bits),
    next: formatIp(4, message.siaddr.bits),
    file: message.file,
    options: Object.fromEntries(message.options.map(({ code, data }) => [code, data.toString('hex')])),
  };
}

const discover = { 53: byte(1) };
const request = (more: Options = {}) => ({ 53: byte(3), ...more });
const ack = '05';
const nak = '06';

describe('a client without an address', () => {
  test('is offered the first address of its port, with all that the model says', () => {
    expect(answerTo(discover)).toEqual({
      to: `${own} 10.0.0.10`,
      from: '10.0.0.1',
      address: '10.0.0.10',
      next: '0.0.0.0',
      file: '',
      options: {
        53: '02',
        54: '0a000001',
        51: '00015180',
        58: '0000a8c0',
        59: '00012750',
        1: 'ffffff00',
        28: '0a0000ff',
        3: '0a000001',
        6: 'c0000235',
        26: '05a2',
        121: '100a090a000009000a000001',
      },
    });
  });

  test('gets what it asks for, and netmask, broadcast address and MTU', () => {
    const { options } = answerTo(
      { ...discover, 55: Buffer.from([3, 15]) },
      {},
      { leaseTime: 60, domain: 'x.y' },
    ) as {
      options: object;
    };
    expect(Object.keys(options).map(Number)).toEqual([1, 3, 15, 26, 28, 51, 53, 54, 58, 59]);
    expect(options).toMatchObject({ 15: '782e79', 51: '0000003c' });
  });

  test('hears it by broadcast if it says so', () => {
    expect(answerTo(discover, { broadcast: true })).toMatchObject({ to: `${broadcastMac} 255.255.255.255` });
  });

  test('gets another address of its port where it asks for that one', () => {
    expect(answerTo({ ...discover, 50: bytes('10.0.1.10') })).toMatchObject({
      address: '10.0.1.10',
      from: '10.0.1.1',
    });
    expect(answerTo({ ...discover, 50: bytes('10.0.1.11') })).toMatchObject({ address: '10.0.0.10' });
  });
});

describe('a request', () => {
  test('for an address of the port is acknowledged, however it came', () => {
    const selecting = { 54: bytes('10.0.0.1'), 50: bytes('10.0.0.10') };
    const rebooting = { 50: bytes('10.0.1.10') };
    expect(answerTo(request(selecting))).toMatchObject({ address: '10.0.0.10', options: { 53: ack } });
    expect(answerTo(request(rebooting))).toMatchObject({ address: '10.0.1.10', options: { 53: ack } });
    expect(answerTo(request(), { ciaddr: ip('10.0.0.10'), broadcast: true })).toMatchObject({
      to: `${own} 10.0.0.10`,
      address: '10.0.0.10',
      options: { 53: ack },
    });
  });

  test.each<[string, Options, Partial<Dhcp>]>([
    ['selecting', { 54: bytes('10.0.0.1'), 50: bytes('10.0.0.11') }, {}],
    ['rebooting', { 50: bytes('192.0.2.7') }, {}],
    ['renewing', {}, { ciaddr: ip('10.0.0.11') }],
    ['without any address', {}, {}],
  ])('for another address is refused: %s', (_, options, header) => {
    expect(answerTo(request(options), header)).toEqual({
      to: `${broadcastMac} 255.255.255.255`,
      from: '10.0.0.1',
      address: '0.0.0.0',
      next: '0.0.0.0',
      file: '',
      options: { 53: nak, 54: '0a000001' },
    });
  });

  test('to another server is none of ours', () => {
    expect(answerTo(request({ 54: bytes('10.0.0.99'), 50: bytes('10.0.0.10') }))).toBe('ignored');
  });
});

describe('other messages', () => {
  test('an inform gets the configuration without a lease', () => {
    const answer = answerTo({ 53: byte(8) }, { ciaddr: ip('10.0.0.10') });
    expect(answer).toMatchObject({
      address: '0.0.0.0',
      to: `${own} 10.0.0.10`,
      options: { 53: ack, 3: '0a000001' },
    });
    expect(answer).not.toHaveProperty(['options', '51']);
  });

  test('a decline is reported where it is about an address of the port', () => {
    expect(outcomeOf({ 53: byte(4), 50: bytes('10.0.0.10') })).toEqual({
      kind: 'declined',
      address: ip('10.0.0.10'),
      packets: [],
    });
    expect(answerTo({ 53: byte(4), 50: bytes('10.0.0.11') })).toBe('ignored');
  });

  test.each<[string, Options, Partial<Dhcp>]>([
    ['a release', { 53: byte(7) }, { ciaddr: ip('10.0.0.10') }],
    ['without a type', {}, {}],
    ['relayed', discover, { giaddr: ip('10.0.0.2') }],
    ['for another MAC', discover, { chaddr: mac('02:00:00:00:00:02') }],
    ['of a server', discover, { op: 2 }],
  ])('%s is ignored', (_, options, header) => {
    expect(answerTo(options, header)).toBe('ignored');
  });
});

describe('extra options of the port', () => {
  const set = (...options: readonly (readonly [string, string, (4 | 6)?])[]) =>
    pipeline.facts.dhcpOptions.set(
      port.id,
      options.map(([opt_name, opt_value, ip_version = 4]) => ({ opt_name, opt_value, ip_version })),
    );

  test('win over those of the subnet, and an empty one takes the option away', () => {
    set(['mtu', '1300'], ['router', ''], ['42', '192.0.2.123'], ['ntp-server', 'fd00::7', 6], ['mtu', 'x']);
    const answer = answerTo(discover);
    expect(answer).toMatchObject({ options: { 26: '0514', 42: 'c000027b' } });
    expect(answer).not.toHaveProperty(['options', '3']);
  });

  test('name boot server and file, for clients that are iPXE and for others', () => {
    set(
      ['server-ip-address', '192.0.2.1'],
      ['tag:!ipxe,67', 'undionly.kpxe'],
      ['tag:ipxe,67', 'http://x/boot.ipxe'],
    );
    expect(answerTo(discover)).toMatchObject({ next: '192.0.2.1', file: 'undionly.kpxe' });
    for (const ipxe of [{ 175: byte(1) }, { 77: Buffer.from('iPXE') }])
      expect(answerTo({ ...discover, ...ipxe })).toMatchObject({ file: 'http://x/boot.ipxe' });
  });
});

describe('silent', () => {
  test('where the subnet has no DHCP', () => {
    for (const each of [subnet(0, { dhcp: false }), subnet(1, { dhcp: false })])
      pipeline.facts.subnets.set(each.id, each);
    pipeline.run();
    expect(answerTo(discover)).toBe('ignored');
  });

  test('where a port of the network may serve', () => {
    const other = portFrom({ id: 'q', mac: '02:00:00:00:00:02', dhcpServer: true, host: 'elsewhere' });
    pipeline.facts.ports.set(other.id, other);
    pipeline.run();
    expect(answerTo(discover)).toBe('ignored');
  });
});

test('a subnet without a gateway is served from the metadata address', () => {
  pipeline.facts.subnets.set('s0' as SubnetId, subnet(0, { gateway: null }));
  pipeline.run();
  const answer = answerTo(discover);
  expect(answer).toMatchObject({ from: '169.254.169.254', options: { 121: '100a090a000009' } });
  expect(answer).not.toHaveProperty(['options', '3']);
});

test('no bytes make the handler throw', () => {
  const local = pipeline.relations.locals.get(port.id);
  if (local === undefined) throw new Error('no local port');
  const { handle } = dhcp4(defaultDhcpSettings);
  const sample = udpFrame(
    { from: own, to: broadcastMac, src: ip('0.0.0.0'), dst: broadcast4 },
    68,
    67,
    buildDhcp({ ...emptyDhcp, op: 1, xid: 7, chaddr: own, options: [{ code: 53, data: byte(3) }] }),
  );
  fc.assert(
    fc.property(fc.nat(sample.length), fc.nat(sample.length - 1), fc.nat(255), (cut, at, value) => {
      const broken = Buffer.from(sample.subarray(0, cut));
      if (at < broken.length) broken.writeUInt8(value, at);
      handle({ data: broken, local, fields: {} }, pipeline);
    }),
    { numRuns: 2000 },
  );
});
