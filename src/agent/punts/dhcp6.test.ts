/** The answers of the built-in DHCPv6 server, message by message. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { ip, mac, net, udpFrame } from '../../../test/lib/frames.ts';
import { setKeys, zone } from '../../../test/lib/keys.ts';
import { networkFrom, portFrom } from '../../../test/proofs/worlds.ts';
import { dhcpServers6, formatIp, linkLocalOf } from '../../net/cidr.ts';
import {
  associationTypes,
  buildAddress,
  buildAssociation,
  buildDhcp6,
  dhcp6Options as codes,
  type Dhcp6Option,
  parseAssociation,
  parseDhcp6,
  dhcp6Types as types,
} from '../../net/packet/dhcp6.ts';
import { parseFrame } from '../../net/packet/frame.ts';
import { Pipeline } from '../../pipeline/flow-derivation.ts';
import type { NetworkId, SubnetId } from '../../policy/world.ts';
import { dhcp6 } from './dhcp6.ts';

const network = 'n1' as NetworkId;
const own = mac('02:00:00:00:00:01');
const port = portFrom({ id: 'p', mac: own, ips: ['fd00::10', 'fd01::10'] });
const [stateful, stateless] = ['s0', 's1'] as SubnetId[];
const settings = { leaseTime: 1000, domain: 'x.y' };

let pipeline: Pipeline;
beforeEach(() => {
  pipeline = new Pipeline({ abilities: { answersNd: true, meterSpread: 1 } });
  const { facts } = pipeline;
  facts.networks.set(network, networkFrom({ id: network }));
  facts.zones.set(network, zone(1));
  for (const [id, prefix] of [
    [stateful, 'fd00::/64'],
    [stateless, 'fd01::/64'],
  ] as const) {
    if (id === undefined) continue;
    facts.subnets.set(id, {
      id,
      network,
      cidr: net(prefix),
      gateway: null,
      gatewayMac: null,
      dhcp: true,
      advertised: false,
    });
    facts.dhcpSubnets.set(id, {
      advertisedMode: null,
      stateful: id === stateful,
      dnsServers: [ip('fd00::53')],
      routes: [],
    });
  }
  facts.ports.set(port.id, port);
  facts.ofports.set(port.id, 1);
  setKeys(facts, [network], [port]);
  pipeline.run();
});

const client: Dhcp6Option = { code: codes.client, data: Buffer.from('000300010200000000ff', 'hex') };
const serverDuid = '00030001025043000043';
const server = (duid = serverDuid): Dhcp6Option => ({ code: codes.server, data: Buffer.from(duid, 'hex') });
const wants = (id: number, ...addresses: readonly string[]): Dhcp6Option =>
  buildAssociation({
    code: codes.nonTemporary,
    id,
    options: addresses.map((text) => buildAddress(ip(text).bits, 0, 0)),
  });
const empty = (code: number): Dhcp6Option => buildAssociation({ code, id: 9, options: [] });

function outcomeOf(type: number, options: readonly Dhcp6Option[], from = own) {
  const message = buildDhcp6({ type, transaction: 0xabcdef, options });
  const layer = { from, to: mac('33:33:00:01:00:02'), src: linkLocalOf(from), dst: dhcpServers6 };
  const local = pipeline.relations.locals.get(port.id);
  if (local === undefined) throw new Error('no local port');
  return dhcp6(settings).handle({ data: udpFrame(layer, 546, 547, message), local, fields: {} }, pipeline);
}

/** The one answer: its type, what it says by option, and addresses with lifetimes by association. */
function answerTo(type: number, ...options: readonly Dhcp6Option[]) {
  const outcome = outcomeOf(type, options);
  if (outcome.kind !== 'answered') return outcome.kind;
  const frame = parseFrame(Buffer.from(outcome.packets[0] ?? []));
  const upper = frame?.ip?.upper;
  const message = upper?.kind === 'segment' ? parseDhcp6(upper.payload) : null;
  if (frame?.ip === null || frame === null || upper?.kind !== 'segment' || message === null)
    throw new Error('not a DHCPv6 message');
  expect([upper.srcPort, upper.dstPort, upper.sound, message.transaction]).toEqual([
    547,
    546,
    true,
    0xabcdef,
  ]);
  expect(`${frame.ethernet.dst} ${formatIp(6, frame.ip.dst.bits)}`).toBe(`${own} fe80::ff:fe00:1`);
  const said = message.options.filter(({ code }) => !associationTypes.has(code));
  const associations = message.options.flatMap((option) => parseAssociation(option) ?? []);
  return {
    type: message.type,
    options: Object.fromEntries(said.map(({ code, data }) => [code, data.toString('hex')])),
    addresses: associations.flatMap(({ id, options: inner }) =>
      inner.map(({ code, data }) =>
        code === codes.address
          ? `${id} ${formatIp(6, BigInt(`0x${data.toString('hex', 0, 16)}`))} ${data.readUInt32BE(20)}`
          : `${id} status ${data.readUInt16BE()}`,
      ),
    ),
  };
}

const usual = { 2: serverDuid, 23: `fd00${'0'.repeat(26)}53`.padEnd(32, '0'), 24: '0178017900' };

describe('a client in a stateful subnet', () => {
  test('is offered the address of its port there, and gets it', () => {
    const offer = answerTo(types.solicit, client, wants(7));
    expect(offer).toEqual({
      type: types.advertise,
      options: { 1: client.data.toString('hex'), 7: 'ff', ...usual },
      addresses: ['7 fd00::10 1000'],
    });
    expect(answerTo(types.request, client, server(), wants(7, 'fd00::10'))).toMatchObject({
      type: types.reply,
      addresses: ['7 fd00::10 1000'],
    });
  });

  test('gets it at once where it asks for that', () => {
    const rapid = { code: codes.rapidCommit, data: Buffer.alloc(0) };
    expect(answerTo(types.solicit, client, rapid, wants(7))).toMatchObject({
      type: types.reply,
      options: { 14: '' },
      addresses: ['7 fd00::10 1000'],
    });
  });

  test.each([types.renew, types.rebind])('keeps it, and loses what is not its own (message %i)', (type) => {
    const named = type === types.renew ? [server()] : [];
    expect(answerTo(type, client, ...named, wants(7, 'fd00::10', 'fd00::11'))).toMatchObject({
      type: types.reply,
      addresses: ['7 fd00::10 1000', '7 fd00::11 0'],
    });
  });

  test('has addresses for one association only', () => {
    expect(answerTo(types.solicit, client, wants(7), wants(8))).toMatchObject({
      addresses: ['7 fd00::10 1000', '8 status 2'],
    });
  });

  test('has no temporary addresses and no prefix', () => {
    const further = [wants(7), empty(codes.temporary), empty(codes.delegation)];
    expect(answerTo(types.request, client, server(), ...further)).toMatchObject({
      addresses: ['7 fd00::10 1000', '9 status 2', '9 status 6'],
    });
    expect(answerTo(types.renew, client, server(), ...further)).toMatchObject({
      addresses: ['7 fd00::10 1000', '9 status 3', '9 status 3'],
    });
  });

  test('that asks for an address of another link is told so', () => {
    expect(answerTo(types.request, client, server(), wants(7, 'fd99::1'))).toMatchObject({
      addresses: ['7 status 4'],
    });
  });

  test('gets an answer of bounded size, whatever it repeats', () => {
    const foreign = Array.from({ length: 20 }, (_, at) => `fd00::1:${at}`);
    const many = Array.from({ length: 40 }, (_, id) => wants(id, ...foreign));
    const answer = answerTo(types.renew, client, server(), ...many);
    expect(answer).toMatchObject({ addresses: { length: 1 + 8 + 7 } });
  });

  test('that was elsewhere hears whether its addresses are of this link', () => {
    const statusOf = (...addresses: string[]) => answerTo(types.confirm, client, wants(7, ...addresses));
    expect(statusOf('fd00::10')).toMatchObject({ options: { 13: expect.stringMatching(/^0000/) } });
    expect(statusOf('fd00::10', 'fd99::1')).toMatchObject({
      options: { 13: expect.stringMatching(/^0004/) },
    });
    expect(statusOf()).toBe('ignored');
  });

  test('gives back and declines', () => {
    const about = [client, server(), wants(7, 'fd00::10')] as const;
    expect(answerTo(types.release, ...about)).toMatchObject({ type: types.reply, addresses: [] });
    expect(outcomeOf(types.decline, about)).toMatchObject({ kind: 'declined', address: ip('fd00::10') });
    const another = [client, server(), wants(7, 'fd00::11')];
    expect(outcomeOf(types.decline, another)).toMatchObject({ kind: 'answered' });
  });
});

test('a client in a stateless subnet gets what belongs to its address, by what it asks for', () => {
  if (stateful !== undefined) pipeline.facts.subnets.delete(stateful);
  pipeline.run();
  const asked = (...wanted: number[]) => ({
    code: codes.requested,
    data: Buffer.from(wanted.flatMap((code) => [code >> 8, code & 255])),
  });
  expect(answerTo(types.informationRequest)).toMatchObject({ type: types.reply, options: usual });
  expect(answerTo(types.informationRequest, asked(24))).toEqual({
    type: types.reply,
    options: { 2: serverDuid, 24: usual[24] },
    addresses: [],
  });
  expect(answerTo(types.solicit, client, wants(7))).toMatchObject({ addresses: ['7 status 2'] });
});

test('extra options of IP version 6 win', () => {
  pipeline.facts.dhcpOptions.set(port.id, [
    { opt_name: 'dns-server', opt_value: 'fd00::1,[fd00::2]', ip_version: 6 },
    { opt_name: 'ntp-server', opt_value: 'fd00::3', ip_version: 6 },
    { opt_name: '59', opt_value: 'tftp://[fd00::4]/boot', ip_version: 6 },
    { opt_name: '24', opt_value: 'a..b', ip_version: 6 },
    { opt_name: '2', opt_value: 'forged', ip_version: 6 },
    { opt_name: '31', opt_value: '10.0.0.1', ip_version: 4 },
  ]);
  const six = (text: string) => ip(text).bits.toString(16).padStart(32, '0');
  expect(answerTo(types.informationRequest)).toMatchObject({
    options: {
      ...usual,
      23: six('fd00::1') + six('fd00::2'),
      56: `00010010${six('fd00::3')}`,
      59: Buffer.from('tftp://[fd00::4]/boot').toString('hex'),
    },
  });
});

test.each<[string, number, readonly Dhcp6Option[]]>([
  ['to another server', types.request, [client, server('00030001020000000099'), wants(7)]],
  ['without a client', types.solicit, [wants(7)]],
  ['with a client of 131 bytes', types.solicit, [{ code: codes.client, data: Buffer.alloc(131) }, wants(7)]],
  ['that must name no server', types.solicit, [client, server(), wants(7)]],
  ['that must name no server either', types.confirm, [client, server(), wants(7, 'fd00::10')]],
  ['that must name its server', types.request, [client, wants(7)]],
  ['that must name its server too', types.decline, [client, wants(7, 'fd00::10')]],
  ['for information with an association', types.informationRequest, [client, wants(7)]],
  [
    'with an association that is cut',
    types.solicit,
    [client, { code: codes.nonTemporary, data: Buffer.alloc(3) }],
  ],
  ['of a server', types.reply, [client]],
  ['of a relay', 12, [client]],
])('a message %s is ignored', (_, type, options) => {
  expect(answerTo(type, ...options)).toBe('ignored');
});

test('another MAC than the port’s gets nothing', () => {
  expect(outcomeOf(types.solicit, [client, wants(7)], mac('02:00:00:00:00:02'))).toEqual({ kind: 'ignored' });
});

test('no bytes make the handler throw', () => {
  const local = pipeline.relations.locals.get(port.id);
  if (local === undefined) throw new Error('no local port');
  const layer = { from: own, to: mac('33:33:00:01:00:02'), src: linkLocalOf(own), dst: dhcpServers6 };
  const message = buildDhcp6({
    type: types.request,
    transaction: 1,
    options: [client, wants(7, 'fd00::10')],
  });
  const sample = udpFrame(layer, 546, 547, message);
  fc.assert(
    fc.property(fc.nat(sample.length), fc.nat(sample.length - 1), fc.nat(255), (cut, at, value) => {
      const broken = Buffer.from(sample.subarray(0, cut));
      if (at < broken.length) broken.writeUInt8(value, at);
      dhcp6(settings).handle({ data: broken, local, fields: {} }, pipeline);
    }),
    { numRuns: 2000 },
  );
});
