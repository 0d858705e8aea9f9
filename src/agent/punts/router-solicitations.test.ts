/** Router advertisements of hosts: what they say, to whom, and when nobody asks. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { icmpFrame, ip, mac, net } from '../../../test/lib/frames.ts';
import { setKeys, zone } from '../../../test/lib/keys.ts';
import { networkFrom, portFrom } from '../../../test/proofs/worlds.ts';
import { type Cidr, formatIp, linkLocalOf } from '../../net/cidr.ts';
import { parseFrame } from '../../net/packet/frame.ts';
import { routerSolicitation } from '../../net/packet/icmpv6.ts';
import { Pipeline } from '../../pipeline/flow-derivation.ts';
import type { NetworkId, PortId, RouterId, SubnetId } from '../../policy/world.ts';
import { Advertising } from './advertising.ts';
import { routerSolicitations } from './router-solicitations.ts';

const network = 'n1' as NetworkId;
const own = mac('02:00:00:00:00:01');
const routerMac = mac('02:00:00:00:00:0f');
const port = portFrom({ id: 'p', mac: own, ips: ['fd00::10'] });
const router = {
  ...portFrom({ id: 'r', mac: routerMac, ips: ['fd00::1'], mode: 'off' }),
  cloudOwned: true,
  host: null,
};
const settings = { leaseTime: 86_400, domain: 'example.org' };

let pipeline: Pipeline;
function subnet(n: number, advertisedMode: string | null) {
  const id = `s${n}` as SubnetId;
  const { facts } = pipeline;
  facts.subnets.set(id, {
    id,
    network,
    cidr: net(`fd0${n}::/64`),
    gateway: ip(`fd0${n}::1`),
    gatewayMac: null,
    dhcp: false,
    advertised: advertisedMode !== null,
  });
  const dnsServers = [ip(`fd0${n}::53`)];
  facts.dhcpSubnets.set(id, { stateful: false, advertisedMode, dnsServers, routes: [] });
}
beforeEach(() => {
  pipeline = new Pipeline({ abilities: { answersNd: true, meterSpread: 1 } });
  const { facts } = pipeline;
  facts.networks.set(network, networkFrom({ id: network, mtu: 1442 }));
  facts.zones.set(network, zone(1));
  for (const each of [port, router]) facts.ports.set(each.id, each);
  facts.ofports.set(port.id, 1);
  setKeys(facts, [network], [port, router]);
  subnet(0, 'slaac');
  pipeline.run();
});

/** Sender, receiver and the bytes from the hop limit of the message on, of each advertisement. */
function shown(packets: readonly Uint8Array[]) {
  return packets.map((packet) => {
    const frame = parseFrame(Buffer.from(packet));
    const upper = frame?.ip?.upper;
    if (frame === null || frame.ip === null || upper?.kind !== 'icmp') throw new Error('not ICMPv6');
    const { ethernet, ip: header } = frame;
    expect([upper.type, upper.code, upper.sound, header.hopLimit]).toEqual([134, 0, true, 255]);
    const name = (address: Cidr) => formatIp(6, address.bits);
    return {
      from: `${ethernet.src} ${name(header.src)}`,
      to: `${ethernet.dst} ${name(header.dst)}`,
      head: upper.rest.toString(16).padStart(8, '0'),
      options: upper.body.subarray(8).toString('hex'),
    };
  });
}

function answerTo(src: Cidr, hopLimit = 255) {
  const local = pipeline.relations.locals.get(port.id);
  if (local === undefined) throw new Error('no local port');
  const link = { from: own, to: mac('33:33:00:00:00:02'), src, dst: ip('ff02::2'), hopLimit };
  const data = icmpFrame(link, routerSolicitation([]));
  const outcome = routerSolicitations(settings).handle({ data, local, fields: {} }, pipeline);
  return outcome.kind === 'answered' ? shown(outcome.packets) : outcome.kind;
}
const guest = linkLocalOf(own);
const source = (sender: string) => `0101${sender.replaceAll(':', '')}`;
const mtu = '05010000000005a2';
const prefix = (flags: string, n: number) => `030440${flags}000151800000384000000000fd0${n}${'0'.repeat(28)}`;
const dns = (n: number) => `190300000000012cfd0${n}${'0'.repeat(26)}53`;
const bothDns = `190500000000012cfd00${'0'.repeat(26)}53fd01${'0'.repeat(26)}53`;
const domain = '1f0300000000012c076578616d706c65036f726700000000';

describe('a solicitation is answered', () => {
  test('in the name of the router that holds the gateway, byte by byte', () => {
    expect(answerTo(guest)).toEqual([
      {
        from: `${routerMac} ${formatIp(6, linkLocalOf(routerMac).bits)}`,
        to: `${own} ${formatIp(6, guest.bits)}`,
        head: '4000012c',
        options: source(routerMac) + mtu + prefix('c0', 0) + dns(0) + domain,
      },
    ]);
  });

  test('to all nodes where the guest has no address yet', () => {
    expect(answerTo(ip('::'))).toMatchObject([{ to: '33:33:00:00:00:01 ff02::1' }]);
  });

  test.each([
    ['slaac', '4000012c', 'c0'],
    ['dhcpv6-stateless', '4040012c', 'c0'],
    ['dhcpv6-stateful', '4080012c', '80'],
  ])('with the flags of %s', (mode, head, flags) => {
    subnet(0, mode);
    pipeline.run();
    expect(answerTo(guest)).toMatchObject([
      { head, options: source(routerMac) + mtu + prefix(flags, 0) + dns(0) + domain },
    ]);
  });

  test('without a default route where the subnet has no router', () => {
    subnet(1, 'slaac');
    pipeline.run();
    expect(answerTo(guest)).toMatchObject([
      { from: expect.stringContaining(routerMac), head: '4000012c' },
      { from: expect.stringContaining('02:50:43:00:00:43'), head: '40000000' },
    ]);
    pipeline.facts.ports.delete(router.id);
    pipeline.run();
    expect(answerTo(guest)).toMatchObject([
      {
        head: '40000000',
        options: source('02:50:43:00:00:43') + mtu + prefix('c0', 0) + prefix('c0', 1) + bothDns + domain,
      },
    ]);
  });
});

describe('nobody answers', () => {
  test.each([
    ['where no subnet is advertised', () => subnet(0, null)],
    ['beside a port that may serve', () => pipeline.facts.ports.set(port.id, { ...port, dhcpServer: true })],
    ['beside a router that is plugged', () => pipeline.facts.ports.set(router.id, { ...router, host: 'h' })],
  ])('%s', (_, change) => {
    change();
    pipeline.run();
    expect(answerTo(guest)).toBe('ignored');
  });

  test('a solicitation from another link', () => {
    expect(answerTo(guest, 64)).toBe('ignored');
  });

  test('bytes that are none, and nothing throws', () => {
    const local = pipeline.relations.locals.get(port.id);
    if (local === undefined) throw new Error('no local port');
    const handler = routerSolicitations(settings);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (data) => {
        expect(handler.handle({ data, local, fields: {} }, pipeline).kind).toBe('ignored');
      }),
    );
  });
});

describe('without a solicitation', () => {
  let sent: { readonly ofport: number; readonly data: Uint8Array }[];
  let advertising: Advertising;
  const heard = () => shown(sent.splice(0).map(({ data }) => data));
  const heads = () => heard().map(({ head }) => head);
  beforeEach(() => {
    vi.useFakeTimers();
    sent = [];
    advertising = new Advertising({
      pipeline,
      settings,
      send: (ofport, data) => sent.push({ ofport, data }),
    });
    advertising.update();
  });
  afterEach(() => {
    advertising.stop();
    vi.useRealTimers();
  });

  test('every port hears at once, then at least every 100 seconds', () => {
    expect(sent.map(({ ofport }) => ofport)).toEqual([1]);
    expect(heard()).toMatchObject([{ to: '33:33:00:00:00:01 ff02::1', head: '4000012c' }]);
    advertising.update();
    expect(sent).toEqual([]);
    vi.advanceTimersByTime(1_000_000);
    expect(sent.length).toBeGreaterThanOrEqual(10);
    expect(sent.length).toBeLessThanOrEqual(34);
  });

  test('a change is told at once, and so is a router that leaves', () => {
    heads();
    subnet(0, 'dhcpv6-stateful');
    pipeline.run();
    advertising.update();
    expect(heads()).toEqual(['4080012c']);
    pipeline.facts.ports.delete('r' as PortId);
    pipeline.run();
    advertising.update();
    // The router's end, then what is advertised without it.
    expect(heads()).toEqual(['40800000', '40800000']);
    subnet(0, null);
    pipeline.run();
    advertising.update();
    expect(heads()).toEqual([]);
    vi.advanceTimersByTime(1_000_000);
    expect(heads()).toEqual([]);
  });

  test('a router that is administratively down leaves, and comes back', () => {
    heads();
    const known = { id: 'edge' as RouterId, ports: [router.id], routes: [] };
    const turn = (adminUp: boolean) => {
      pipeline.facts.routers.set(known.id, { ...known, adminUp });
      pipeline.run();
      advertising.update();
      return heads();
    };
    expect(turn(true)).toEqual([]);
    // The router's end, then what is advertised without it.
    expect(turn(false)).toEqual(['40000000', '40000000']);
    expect(turn(true)).toEqual(['4000012c']);
  });

  test('nothing more after it has stopped', () => {
    heads();
    advertising.stop();
    vi.advanceTimersByTime(1_000_000);
    expect(sent).toEqual([]);
  });
});
