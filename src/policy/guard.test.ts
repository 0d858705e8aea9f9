/** The sender's and the receiver's guard, rule by rule, through the evaluator. */
import { describe, expect, test } from 'vitest';
import {
  type ArpFields,
  arpFrame,
  arpRequest,
  dhcpFrame,
  echoFrame,
  fragmentsOf,
  groupMac,
  icmpFrame,
  ip,
  ipFrame,
  mac,
  noMac,
  rarpFrame,
  tagged,
  udpFrame,
  withSource,
} from '../../test/lib/frames.ts';
import { host, type PortText, wideGroup, worldFrom } from '../../test/proofs/worlds.ts';
import { linkLocalOf } from '../net/cidr.ts';
import { broadcastMac, type Mac } from '../net/mac.ts';
import {
  listenerMessage,
  listenerReport2,
  neighbourMessage,
  redirect,
  routerAdvertisement,
  routerSolicitation,
  solicitedNode,
  sourceOption,
  targetOption,
} from '../net/packet/icmpv6.ts';
import { emptyTracker } from './conntrack.ts';
import { evaluate, evaluateDatagram } from './evaluator.ts';
import type { Verdict } from './verdict.ts';
import type { PortId } from './world.ts';

const a = mac('02:00:00:00:00:0a');
const b = mac('02:00:00:00:00:0b');
const vmac = mac('00:00:5e:00:01:07');
const foreign = mac('02:00:00:00:00:99');
const [ipA, ipB, vip] = [ip('10.0.0.10'), ip('10.0.0.11'), ip('10.0.0.77')];
const [ipA6, ipB6] = [ip('2001:db8::a'), ip('2001:db8::b')];
const any4 = ip('0.0.0.0');
const any6 = ip('::');

const portA: PortText = {
  id: 'a',
  mac: a,
  ips: ['10.0.0.10', '2001:db8::a'],
  pairs: [['10.0.0.77', vmac], ['172.16.0.0/16']],
  groups: ['open'],
};
const portB: PortText = { id: 'b', mac: b, ips: ['10.0.0.11', '2001:db8::b'], groups: ['open'] };
const worldWith = (over: Partial<PortText> = {}, overB: Partial<PortText> = {}) =>
  worldFrom({
    ports: [
      { ...portA, ...over },
      { ...portB, ...overB },
    ],
    rules: wideGroup('open'),
  });

/** The sender's drop reason, the switch's answer, or what port b got. */
function tell({ sender, receivers, reply }: Verdict): string {
  if (sender.outcome === 'dropped') return sender.reason;
  if (reply !== null) return `answered ${reply.mac}`;
  const got = receivers.get('b' as PortId);
  if (got === undefined) return 'nobody';
  return got.outcome === 'passed' ? 'delivered' : got.reason;
}

const send = (frame: Buffer, over: Partial<PortText> = {}, overB: Partial<PortText> = {}) =>
  tell(evaluate(worldWith(over, overB), host, emptyTracker, 'a' as PortId, frame));
const macOnly: Partial<PortText> = { mode: 'mac-only' };
const off: Partial<PortText> = { mode: 'off' };

const link = { from: a, to: b };
const v4 = { ...link, src: ipA, dst: ipB };
const v6 = { ...link, src: ipA6, dst: ipB6 };

describe('L2', () => {
  test('honest traffic passes', () => {
    expect(send(udpFrame(v4, 1000, 2000))).toBe('delivered');
    expect(send(udpFrame(v6, 1000, 2000))).toBe('delivered');
  });

  test.each([
    ['vlan-tagged', tagged(udpFrame(v4, 1, 2))],
    ['vlan-tagged', tagged(udpFrame(v4, 1, 2), 0x88a8, 0)],
    ['mac-spoof', withSource(udpFrame(v4, 1, 2), foreign)],
    ['multicast-source', withSource(udpFrame(v4, 1, 2), mac('03:00:00:00:00:0a'))],
    ['ethertype', Buffer.concat([udpFrame(v4, 1, 2).subarray(0, 12), Buffer.from('88cc0000', 'hex')])],
    ['mac-spoof', Buffer.alloc(13)],
  ])('%s', (reason, frame) => {
    expect(send(frame)).toBe(reason);
    expect(send(frame, macOnly)).toBe(reason);
  });

  test('with port security off every frame reaches the holder of its destination', () => {
    expect(send(tagged(withSource(udpFrame(v4, 1, 2), foreign)), off, off)).toBe('delivered');
    expect(send(tagged(udpFrame(v4, 1, 2)), off)).toBe('vlan-tagged');
  });

  test('ports that are down, and ports of networks that are down, send and get nothing', () => {
    const down = { adminUp: false };
    expect(send(udpFrame(v4, 1, 2), down)).toBe('admin-down');
    expect(send(udpFrame(v4, 1, 2), {}, down)).toBe('admin-down');
    expect(send(udpFrame(v4, 1, 2), { host: 'elsewhere' })).toBe('admin-down');
  });
});

describe('ARP and RARP', () => {
  const asks = (over: Partial<ArpFields>) =>
    send(arpFrame({ ...link, op: 2, sha: a, spa: ipA, tha: b, tpa: ipB, ...over }));

  test('sender, hardware and protocol address are one pair', () => {
    expect(asks({})).toBe('delivered');
    expect(asks({ from: vmac, sha: vmac, spa: vip })).toBe('delivered');
    expect(asks({ spa: ip('172.16.4.5') })).toBe('delivered');
    expect(asks({ spa: vip })).toBe('arp-spoof');
    expect(asks({ from: vmac, sha: vmac })).toBe('arp-spoof');
    expect(asks({ sha: vmac, spa: vip })).toBe('arp-spoof');
    expect(asks({ sha: foreign })).toBe('arp-spoof');
    expect(asks({ spa: ipB })).toBe('arp-spoof');
    expect(asks({ spa: any4 })).toBe('arp-spoof');
  });

  test('probes ask for an own address', () => {
    const probe = { to: broadcastMac, op: 1, spa: any4, tha: noMac };
    expect(asks({ ...probe, tpa: ipA })).toBe('delivered');
    expect(asks({ ...probe, tpa: ipB })).toBe('arp-spoof');
    expect(asks({ ...probe, tpa: ipA, sha: foreign })).toBe('arp-spoof');
    expect(asks({ ...probe, tpa: vip })).toBe('arp-spoof');
  });

  test('mac-only allows any address but no other hardware address', () => {
    const frame = (sha: Mac) => arpFrame({ ...link, op: 2, sha, spa: ip('9.9.9.9'), tha: b, tpa: ipB });
    expect(send(frame(a), macOnly)).toBe('delivered');
    expect(send(frame(foreign), macOnly)).toBe('arp-spoof');
  });

  test('RARP announces the MAC and nothing else', () => {
    const silent = { from: a, to: broadcastMac, op: 3, sha: a, spa: any4, tha: a, tpa: any4 };
    expect(send(rarpFrame(silent))).toBe('delivered');
    expect(send(rarpFrame({ ...silent, op: 4 }))).toBe('arp-spoof');
    expect(send(rarpFrame({ ...silent, tha: b }))).toBe('arp-spoof');
    expect(send(rarpFrame({ ...silent, spa: ipA }))).toBe('arp-spoof');
    expect(send(rarpFrame({ ...silent, tpa: ipB }))).toBe('arp-spoof');
  });

  test('ARP of another kind than IPv4 over Ethernet does not pass', () => {
    const frame = arpFrame({ ...link, op: 2, sha: a, spa: ipA, tha: b, tpa: ipB });
    frame.writeUInt16BE(6, 14);
    expect(send(frame)).toBe('arp-spoof');
    expect(send(frame, macOnly)).toBe('arp-spoof');
  });
});

describe('reserved addresses', () => {
  const [gateway, dhcp] = [ip('172.16.0.1'), ip('172.16.0.2')];
  const server: PortText = {
    id: 'dhcp',
    mac: foreign,
    ips: ['172.16.0.2'],
    mode: 'off',
    service: true,
    host: null,
  };
  const spoken = (over: Partial<PortText>, allowsReservedPairs = false) => {
    const world = worldFrom({
      ports: [{ ...portA, ...over }, portB, server],
      rules: wideGroup('open'),
      gateways: ['172.16.0.1'],
      allowsReservedPairs,
    });
    const outcome = (src: Parameters<typeof arpRequest>[1]) => [
      evaluate(world, host, emptyTracker, 'a' as PortId, arpRequest(a, src, ipB)).sender.outcome,
      evaluate(world, host, emptyTracker, 'a' as PortId, udpFrame({ from: a, to: b, src, dst: ipB }, 1, 2))
        .sender.outcome,
    ];
    return { gateway: outcome(gateway), dhcp: outcome(dhcp), other: outcome(ip('172.16.3.4')) };
  };
  const [never, freely] = [
    ['dropped', 'dropped'],
    ['passed', 'passed'],
  ] as const;

  test('no pair claims the gateway, a service or the metadata address, by prefix or by name', () => {
    expect(spoken({})).toEqual({ gateway: never, dhcp: never, other: freely });
    const named = { pairs: [['172.16.0.1'], ['172.16.0.2'], ['172.16.3.4']] } as const;
    expect(spoken(named)).toEqual({ gateway: never, dhcp: never, other: freely });
  });

  test('a fixed IP may, and every pair where the network allows reserved pairs', () => {
    expect(spoken({ ips: ['10.0.0.10', '172.16.0.1'] }).gateway).toEqual(freely);
    expect(spoken({}, true)).toEqual({ gateway: freely, dhcp: freely, other: freely });
  });
});

describe('neighbour discovery', () => {
  const nd = { ...v6, hopLimit: 255 };
  const lla = linkLocalOf(a);
  const ns = (
    options: readonly ReturnType<typeof sourceOption>[],
    over: object = {},
    target = ip('2001:db8::1:2:3'),
    mode: Partial<PortText> = {},
  ) => send(icmpFrame({ ...nd, ...over }, neighbourMessage(135, 0, target, options)), mode);

  test('solicitations', () => {
    expect(ns([sourceOption(a)])).toBe('delivered');
    expect(ns([])).toBe('delivered');
    expect(ns([sourceOption(a)], { src: lla })).toBe('delivered');
    expect(ns([sourceOption(foreign)])).toBe('nd-spoof');
    expect(ns([sourceOption(a)], { src: ipB6 })).toBe('nd-spoof');
    expect(ns([sourceOption(vmac)], { from: vmac })).toBe('nd-spoof');
    expect(ns([sourceOption(vmac)], { from: vmac, src: linkLocalOf(vmac) })).toBe('delivered');
    expect(ns([sourceOption(a)], { hopLimit: 64 })).toBe('nd-spoof');
    expect(ns([sourceOption(a), sourceOption(foreign)])).toBe('nd-spoof');
    expect(ns([sourceOption(a)], { src: ip('2001:db8::99') }, undefined, macOnly)).toBe('delivered');
    expect(ns([sourceOption(foreign)], {}, undefined, macOnly)).toBe('nd-spoof');
  });

  test('duplicate address detection', () => {
    const dad = (target: string, options: readonly ReturnType<typeof sourceOption>[] = []) => {
      const dst = solicitedNode(ip(target));
      return ns(options, { src: any6, dst, to: groupMac(dst) }, ip(target));
    };
    expect(dad('2001:db8::a')).toBe('delivered');
    expect(dad('fe80::ff:fe00:a')).toBe('delivered');
    expect(dad('2001:db8::b')).toBe('nd-spoof');
    expect(dad('fe80::1234')).toBe('dad-pending');
    expect(dad('2001:db8::a', [sourceOption(a)])).toBe('nd-spoof');
  });

  test('a port owns link-local addresses that passed detection', () => {
    const world = worldFrom({
      ports: [portA, portB],
      linkLocals: [{ port: 'a', address: 'fe80::1234', mac: a }],
    });
    const frame = icmpFrame({ ...nd, src: ip('fe80::1234') }, neighbourMessage(136, 0, ip('fe80::1234'), []));
    expect(tell(evaluate(world, host, emptyTracker, 'a' as PortId, frame))).toBe('delivered');
    expect(send(frame)).toBe('nd-spoof');
  });

  test('advertisements', () => {
    const na = (
      target: string,
      options: readonly ReturnType<typeof sourceOption>[],
      over: object = {},
      mode = {},
    ) => send(icmpFrame({ ...nd, ...over }, neighbourMessage(136, 0, ip(target), options)), mode);
    expect(na('2001:db8::a', [targetOption(a)])).toBe('delivered');
    expect(na('2001:db8::a', [])).toBe('delivered');
    expect(na('2001:db8::a', [targetOption(a)], { src: lla })).toBe('delivered');
    expect(na('2001:db8::b', [targetOption(a)])).toBe('nd-spoof');
    expect(na('2001:db8::a', [targetOption(foreign)])).toBe('nd-spoof');
    expect(na('2001:db8::a', [targetOption(a)], { src: ipB6 })).toBe('nd-spoof');
    expect(na('2001:db8::b', [targetOption(a)], { src: ipB6 }, macOnly)).toBe('delivered');
    expect(na('2001:db8::b', [targetOption(foreign)], {}, macOnly)).toBe('nd-spoof');
  });

  test('router messages', () => {
    expect(send(icmpFrame(nd, routerSolicitation([])))).toBe('delivered');
    expect(send(icmpFrame({ ...nd, src: any6 }, routerSolicitation([])))).toBe('delivered');
    expect(send(icmpFrame({ ...nd, src: ipB6 }, routerSolicitation([])))).toBe('nd-spoof');
    for (const mode of [{}, macOnly]) {
      expect(send(icmpFrame(nd, routerAdvertisement(1800, [])), mode)).toBe('ra');
      expect(send(icmpFrame({ ...nd, hopLimit: 1 }, routerAdvertisement(1800, [])), mode)).toBe('ra');
      expect(send(icmpFrame(nd, redirect(ipA6, ipB6, [])), mode)).toBe('redirect');
    }
  });

  test('a port that may serve DHCP advertises from its own address, and redirects nobody', () => {
    for (const mode of [{}, macOnly]) {
      const trusted = { ...mode, dhcpServer: true };
      const advertisement = routerAdvertisement(1800, []);
      expect(send(icmpFrame(nd, advertisement), trusted, { groups: [] })).toBe('delivered');
      expect(send(icmpFrame({ ...nd, hopLimit: 64 }, advertisement), trusted)).toBe('nd-spoof');
      expect(send(icmpFrame(nd, { ...advertisement, code: 1 }), trusted)).toBe('nd-spoof');
      expect(send(icmpFrame(nd, redirect(ipA6, ipB6, [])), trusted)).toBe('redirect');
    }
    const trusted = { dhcpServer: true };
    expect(send(icmpFrame({ ...nd, src: ipB6 }, routerAdvertisement(1800, [])), trusted)).toBe('nd-spoof');
  });

  test.each([
    ['router renumbering', 138, 'router-message'],
    ['inverse solicitation', 141, 'nd-spoof'],
    ['inverse advertisement', 142, 'nd-spoof'],
    ['multicast router advertisement', 151, 'router-message'],
    ['multicast router termination', 153, 'router-message'],
    ['RPL control', 155, 'router-message'],
  ] as const)('%s does not pass, whoever sends it', (_, type, reason) => {
    const message = { type, code: 0, rest: 0, body: Buffer.alloc(32) };
    for (const mode of [{}, macOnly, { dhcpServer: true }])
      expect(send(icmpFrame(nd, message), mode)).toBe(reason);
  });

  test('extension headers change nothing', () => {
    const body = Buffer.alloc(6);
    for (const header of [0, 60, 43] as const) {
      const over = { ...nd, extensions: [{ kind: 'plain', header, body } as const] };
      expect(send(icmpFrame(over, routerAdvertisement(1800, [])))).toBe('ra');
      expect(send(icmpFrame(over, neighbourMessage(136, 0, ipB6, [])))).toBe('nd-spoof');
    }
    const atomic = { ...nd, extensions: [{ kind: 'fragment', offset: 0, more: false, id: 3 } as const] };
    expect(send(icmpFrame(atomic, routerAdvertisement(1800, [])))).toBe('ra');
  });

  test('neighbour discovery in fragments never passes', () => {
    const frame = icmpFrame(nd, neighbourMessage(136, 0, ipA6, [targetOption(a), targetOption(a)]));
    const pieces = fragmentsOf(frame, [16]);
    for (const mode of [{}, macOnly]) {
      const verdict = evaluateDatagram(worldWith(mode), host, emptyTracker, 'a' as PortId, pieces);
      expect(tell(verdict)).toBe('ct-invalid');
    }
  });
});

describe('multicast listeners', () => {
  const all = ip('ff02::16');
  const layer = { from: a, to: groupMac(all) ?? b, src: linkLocalOf(a), dst: all, hopLimit: 1 };
  const group = ip('ff02::1:ff00:a');
  test('reports pass, queries do not', () => {
    expect(send(icmpFrame(layer, listenerReport2([group])))).toBe('delivered');
    expect(send(icmpFrame({ ...layer, src: any6 }, listenerMessage(131, group)))).toBe('delivered');
    expect(send(icmpFrame({ ...layer, src: linkLocalOf(b) }, listenerReport2([group])))).toBe('ip-spoof');
    expect(send(icmpFrame({ ...layer, hopLimit: 64 }, listenerReport2([group])))).toBe('nd-spoof');
    expect(send(icmpFrame(layer, listenerMessage(130, group)))).toBe('mld-query');
    expect(send(icmpFrame(layer, listenerMessage(130, group)), macOnly)).toBe('mld-query');
  });

  test('reports need no rule', () => {
    const none = { groups: [] };
    expect(send(icmpFrame(layer, listenerReport2([group])), none, none)).toBe('delivered');
  });
});

describe('IP and DHCP', () => {
  test('the source is an own address under its own MAC', () => {
    expect(send(udpFrame({ ...v4, src: ip('172.16.200.1') }, 1, 2))).toBe('delivered');
    expect(send(udpFrame({ ...v4, src: ip('172.17.0.1') }, 1, 2))).toBe('ip-spoof');
    expect(send(udpFrame({ ...v4, src: vip }, 1, 2))).toBe('ip-spoof');
    expect(send(udpFrame({ ...v4, from: vmac, src: vip }, 1, 2))).toBe('delivered');
    expect(send(udpFrame({ ...v4, src: any4 }, 1, 2))).toBe('ip-spoof');
    expect(send(udpFrame({ ...v6, src: ipB6 }, 1, 2))).toBe('ip-spoof');
    expect(send(udpFrame({ ...v6, src: any6 }, 1, 2))).toBe('ip-spoof');
    expect(send(udpFrame({ ...v4, src: ip('9.9.9.9') }, 1, 2), macOnly)).toBe('delivered');
  });

  test('DHCP clients may ask without a rule', () => {
    const none = { groups: [] };
    const boot = { from: a, to: broadcastMac, src: any4, dst: ip('255.255.255.255') };
    expect(send(dhcpFrame(boot, 'client', a), none)).toBe('delivered');
    expect(send(dhcpFrame(v4, 'client', a), none)).toBe('delivered');
    expect(send(dhcpFrame({ ...v4, src: ipB }, 'client', a), none)).toBe('ip-spoof');
    const servers = ip('ff02::1:2');
    const six = { from: a, to: groupMac(servers) ?? b, src: linkLocalOf(a), dst: servers };
    expect(send(udpFrame(six, 546, 547), none)).toBe('delivered');
    expect(send(udpFrame({ ...six, src: any6 }, 546, 547), none)).toBe('ip-spoof');
  });

  test('only trusted ports may serve DHCP, in fragments too', () => {
    const answer = dhcpFrame(v4, 'server', b, 1600);
    const pieces = fragmentsOf(answer, [1200]);
    const whole = (over: Partial<PortText>, overB: Partial<PortText> = {}) =>
      tell(evaluateDatagram(worldWith(over, overB), host, emptyTracker, 'a' as PortId, pieces));
    expect(send(answer)).toBe('dhcp-server');
    expect(send(udpFrame(v6, 547, 546))).toBe('dhcp-server');
    expect(whole({})).toBe('dhcp-server');
    expect(send(answer, macOnly)).toBe('dhcp-server');
    for (const port of [67, 68, 4000, 1]) expect(send(udpFrame(v4, port, 68))).toBe('dhcp-server');
    for (const port of [547, 546, 4000, 1]) expect(send(udpFrame(v6, port, 546))).toBe('dhcp-server');
    expect(send(udpFrame(v4, 4000, 68), { dhcpServer: true })).toBe('delivered');
    // A receiver without rules hears only answers from the servers' UDP port.
    expect(send(udpFrame(v4, 4000, 68), { dhcpServer: true }, { groups: [] })).toBe('ingress-rules');
    expect(send(udpFrame(v4, 4000, 546))).toBe('delivered');
    expect(send(udpFrame(v6, 4000, 68))).toBe('delivered');
    expect(send(answer, { dhcpServer: true }, { groups: [] })).toBe('delivered');
    expect(whole({ dhcpServer: true }, { groups: [] })).toBe('delivered');
  });

  test('no guest may answer in a connection that a client opened', () => {
    const world = worldWith();
    const asked = udpFrame({ from: b, to: a, src: ipB, dst: ipA }, 68, 4000);
    const { tracker, receivers } = evaluate(world, host, emptyTracker, 'b' as PortId, asked);
    expect(receivers.get('a' as PortId)).toEqual({ outcome: 'passed' });
    const verdict = evaluate(world, host, tracker, 'a' as PortId, udpFrame(v4, 4000, 68));
    expect(tell(verdict)).toBe('dhcp-server');
  });

  test('ICMP router advertisements do not pass', () => {
    const message = { type: 9, code: 0, rest: 0x01020708, body: Buffer.alloc(8) };
    for (const mode of [{}, macOnly, { dhcpServer: true }])
      expect(send(icmpFrame(v4, message), mode)).toBe('ra');
  });

  test('IGMP queries and what multicast routers say do not pass, reports do', () => {
    const igmp = (dst: string, over: Partial<PortText> = {}) => {
      const to = ip(dst);
      return send(ipFrame({ ...v4, to: groupMac(to) ?? b, dst: to, hopLimit: 1 }, 2, Buffer.alloc(8)), over);
    };
    for (const mode of [{}, macOnly, { dhcpServer: true }]) {
      expect(igmp('224.0.0.1', mode)).toBe('igmp-query');
      expect(igmp('10.0.0.11', mode)).toBe('igmp-query');
      expect(igmp('255.255.255.255', mode)).toBe('igmp-query');
      expect(igmp('224.0.0.106', mode)).toBe('router-message');
      for (const group of ['224.0.0.2', '224.0.0.22', '239.1.2.3'])
        expect(igmp(group, mode)).toBe('delivered');
    }
  });

  test('ICMP redirects do not pass', () => {
    const message = { type: 5, code: 1, rest: 0, body: Buffer.alloc(28) };
    expect(send(icmpFrame(v4, message))).toBe('redirect');
    expect(send(icmpFrame(v4, message), macOnly)).toBe('redirect');
  });

  test('a header that cannot be read names no address', () => {
    const frame = udpFrame(v4, 1, 2);
    frame.writeUInt16BE(9999, 16);
    expect(send(frame)).toBe('ip-spoof');
    expect(send(frame, macOnly)).toBe('ct-invalid');
  });
});

describe('what a receiver hears', () => {
  const to = (dst: string, over: Partial<PortText> = {}) =>
    send(echoFrame({ ...v4, dst: ip(dst) }, 'request'), {}, over);

  test('its own addresses, multicast and broadcasts', () => {
    expect(to('10.0.0.11')).toBe('delivered');
    expect(to('10.0.0.12')).toBe('foreign-destination');
    expect(to('172.16.1.1', { pairs: [['172.16.0.0/16']] })).toBe('delivered');
    for (const dst of ['224.0.0.18', '255.255.255.255', '10.0.0.255']) expect(to(dst)).toBe('delivered');
    expect(to('10.0.1.255')).toBe('foreign-destination');
    expect(to('10.0.0.12', { mode: 'mac-only' })).toBe('delivered');
    expect(to('10.0.0.12', { mode: 'off' })).toBe('delivered');
    expect(send(udpFrame({ ...v6, dst: linkLocalOf(b) }, 1, 2))).toBe('delivered');
    expect(send(udpFrame({ ...v6, dst: ip('fe80::9') }, 1, 2))).toBe('foreign-destination');
  });

  test('other ethertypes from unguarded ports only reach unguarded ports', () => {
    const frame = Buffer.concat([udpFrame(v4, 1, 2).subarray(0, 12), Buffer.from('88cc0000', 'hex')]);
    expect(send(frame, off)).toBe('ethertype');
    expect(send(frame, off, macOnly)).toBe('ethertype');
    expect(send(frame, off, off)).toBe('delivered');
  });

  test('router advertisements and DHCP answers of an unguarded port, whatever its groups', () => {
    const none = { groups: [] };
    const ra = icmpFrame({ ...v6, hopLimit: 255 }, routerAdvertisement(1800, []));
    expect(send(ra, off, none)).toBe('delivered');
    expect(send(dhcpFrame(v4, 'server', b), off, none)).toBe('delivered');
    expect(send(dhcpFrame(v4, 'client', b), off, none)).toBe('ingress-rules');
  });
});

describe('answers by the switch', () => {
  test('for an address that one port alone has', () => {
    expect(send(arpRequest(a, ipA, ipB))).toBe(`answered ${b}`);
    expect(send(arpRequest(a, ipA, ip('10.0.0.99')))).toBe('delivered');
    expect(send(arpRequest(a, ipA, ipA))).toBe('delivered');
    expect(send(arpRequest(a, ipA, ipB), off)).toBe('delivered');
    expect(send(arpRequest(a, ipA, ipB), macOnly)).toBe('delivered');
    expect(send(arpRequest(a, ipA, ipB), {}, { adminUp: false })).toBe('nobody');
    expect(send(arpRequest(a, ipA, ipB), {}, { host: 'elsewhere' })).toBe(`answered ${b}`);
    expect(send(arpRequest(a, ipA, ipB), {}, { host: null })).toBe('nobody');
    expect(send(arpRequest(a, ipA, vip), {}, { pairs: [['10.0.0.77']] })).toBe('delivered');
    const wide = { id: 'c', mac: '02:00:00:00:00:0c', pairs: [['10.0.0.0/24']] } as const;
    const world = worldFrom({ ports: [portA, portB, wide] });
    const covered = evaluate(world, host, emptyTracker, 'a' as PortId, arpRequest(a, ipA, ipB));
    expect(tell(covered)).toBe(`answered ${b}`);
    expect(send(arpRequest(a, ipA, ipB), { pairs: [['10.0.0.11']] })).toBe('delivered');
    expect(send(arpRequest(a, ipA, ipB), { pairs: [['10.0.0.0/24']] })).toBe('delivered');
    const unicast = arpFrame({ ...link, op: 1, sha: a, spa: ipA, tha: noMac, tpa: ipB });
    expect(send(unicast)).toBe('delivered');
  });

  test('for ordinary neighbour solicitations too', () => {
    const dst = solicitedNode(ipB6);
    const nd = { ...v6, to: groupMac(dst) ?? b, dst, hopLimit: 255 };
    expect(send(icmpFrame(nd, neighbourMessage(135, 0, ipB6, [sourceOption(a)])))).toBe(`answered ${b}`);
    expect(send(icmpFrame(nd, neighbourMessage(135, 0, ipB6, [])))).toBe('delivered');
    const unicast = icmpFrame({ ...v6, hopLimit: 255 }, neighbourMessage(135, 0, ipB6, [sourceOption(a)]));
    expect(send(unicast)).toBe('delivered');
  });
});
