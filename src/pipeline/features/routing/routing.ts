/**
 * Routers, each on every host that has a port on one of their networks: the sender's host routes.
 *
 * # Idea
 * A router's port is a port without port security, and without an interface. Forwarding takes a frame for its MAC to it,
 * as to any port, and the connection is recorded in the zone of that network. The route then gives the packet another
 * network, with the router's port there as the sender, and forwarding takes it on: to a port here, or through a tunnel of
 * the network that it was routed to. So each network judges and tracks the connection by itself.
 *
 * # Invariants
 * - A tunnel never leads to a router: a frame for its MAC that came through one is dropped.
 * - Each zone's records name ports of its own network only, so keys of two networks never meet in one record.
 *
 * # Rejected
 * One conntrack zone for all networks of a router. A network that joins or leaves a router would change its zone, and lose
 * its connections. A record could not say of which network its keys are.
 */

import { bug } from '../../../base/errors.ts';
import type { NetworkKey } from '../../../model/numbers.ts';
import { type Cidr, cidr, type Family, isHost, linkLocalOf, parseCidr } from '../../../net/cidr.ts';
import { type Mac, macToBits } from '../../../net/mac.ts';
import { icmpTypes } from '../../../net/packet/icmp.ts';
import { icmpv6Types } from '../../../net/packet/icmpv6.ts';
import type { NetworkId } from '../../../policy/world.ts';
import {
  type ActionOf,
  checkSize,
  clearConnection,
  copyField,
  decrementTtl,
  punt,
  resubmit,
  rewrite,
} from '../../actions.ts';
import { type Draft, drop, flow, type Then } from '../../draft.ts';
import { type LocalPort, sentBy, sentTo } from '../../local-port.ts';
import { address, arp, icmp4, icmp6, ipOf, ipv4, ipv6, rarp, wholePacket } from '../../matches.ts';
import { after } from '../../positions.ts';
import { writePuntData } from '../../punt-data.ts';
import { flag, register } from '../../registers.ts';
import {
  faultMask,
  mtuShift,
  type RoutingFault,
  routingFaultNames,
  routingFaults,
} from '../../routing-faults.ts';
import { byInterface, inOrigin } from '../isolation/roles.ts';
import { piecesTo } from '../records/remember.ts';
import { answer } from '../responder/responder.ts';
import type { RouterPort } from './relations.ts';

const initialTtl = 64;

const prefixOf = (text: string): Cidr => parseCidr(text) ?? bug(`not a prefix: ${text}`);

/** RFC 1812 5.3.7, RFC 4291 2.5: addresses of one link, of one host, and of groups. */
const unroutable = {
  sources: ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '::/128', '::1/128', 'fe80::/10'].map(prefixOf),
  destinations: [
    '0.0.0.0/8',
    '127.0.0.0/8',
    '169.254.0.0/16',
    '224.0.0.0/3',
    '::/128',
    '::1/128',
    'fe80::/10',
    'ff00::/8',
  ].map(prefixOf),
} as const;

const sourceIn = (prefix: Cidr) =>
  prefix.family === 4 ? { ...ipv4, ip_src: address(prefix) } : { ...ipv6, ipv6_src: address(prefix) };
const destinationIn = (prefix: Cidr) =>
  prefix.family === 4 ? { ...ipv4, ip_dst: address(prefix) } : { ...ipv6, ipv6_dst: address(prefix) };

/** Nobody on the network that the packet enters has tracked it, and it came through no tunnel. */
const fresh = { [register.flags]: flag.untracked, [register.host]: 0 } as const;

/** The switch sends nothing back to the port that a packet came from. A router does, so that port is forgotten. */
const fromNowhere = rewrite<'route'>('in_port_nxm', 0);

/** Where a packet goes that a router sends: by which of its ports, and to whom. */
function leaveBy({ port, key, networkKey, zone, role }: RouterPort) {
  return {
    load: {
      [register.source]: key,
      [register.network]: networkKey,
      ...(zone === undefined ? {} : { [register.zone]: zone }),
      [register.origin]: inOrigin(role),
      ...fresh,
    },
    actions: [
      clearConnection<'route'>(),
      rewrite<'route'>('eth_src', macToBits(port.mac)),
      decrementTtl<'route'>(),
      fromNowhere,
    ],
  } as const;
}

/** The longest prefix wins. Of one prefix, what comes from the network that it leads to is looked at first. */
const levelOf = ({ length }: Cidr): number => 2 * length;

/** An isolated network may forbid that a router sends back what its ports may not send each other. */
function notBack({ number, port, networkKey, hairpin }: RouterPort, prefix: Cidr): Draft[] {
  if (hairpin) return [];
  const from = { [register.router]: number, [register.network]: networkKey, ...destinationIn(prefix) };
  const at = { band: 'prefix', level: levelOf(prefix) + 1 } as const;
  return [drop('route', at, from, { reason: 'isolated', drop: 'egress', port: port.id })];
}

/** In the register of faults, while there is none: whether the size was looked at, and whether it is too big. */
const measured = { bit: 16, isTooBig: 17 } as const;
const fits = 1 << measured.bit;
const isTooBig = fits | (1 << measured.isTooBig);

/**
 * The flows of a route. Where a wider network of the router may lead to it, the size is looked at first: the switch
 * writes it into a register, by which the route is chosen a second time. `maxMtu` is the largest MTU.
 */
function routeTo(
  { number, port, mtu }: RouterPort,
  destination: Cidr,
  maxMtu: number,
  then: Then<'route'>,
  reason: 'routed' | 'fault',
): Draft[] {
  const at = { band: 'prefix', level: levelOf(destination) } as const;
  const match = { [register.router]: number, ...destinationIn(destination) };
  const why = { reason, port: port.id } as const;
  if (maxMtu <= mtu) return [flow('route', at, match, then, why)];
  const measure = {
    load: { [register.fault]: fits },
    actions: [checkSize<'route'>(mtu, register.fault, measured.isTooBig), resubmit<'route'>('route')],
  };
  return [
    flow('route', at, { ...match, [register.fault]: 0 }, measure, { reason: 'size', port: port.id }),
    flow('route', at, { ...match, [register.fault]: fits }, then, why),
    flow('route', at, { ...match, [register.fault]: isTooBig }, endOf('too-big', mtu), {
      reason: 'fault',
      port: port.id,
    }),
  ];
}

/** One flow for each prefix of a port, whatever the number of ports on its network. */
export function connectedRoutes(of: RouterPort, maxMtu: number): Draft[] {
  const then = { ...leaveBy(of), goto: 'next_hop' } as const;
  return of.prefixes.flatMap((prefix) => [
    ...routeTo(of, prefix, maxMtu, then, 'routed'),
    ...notBack(of, prefix),
  ]);
}

/** `mac` is that of the next hop; null when no known port has its address. */
export const extraRoute = (of: RouterPort, destination: Cidr, maxMtu: number, mac: Mac | null): Draft[] => [
  ...routeBy(of, destination, maxMtu, mac),
  ...notBack(of, destination),
];

function routeBy(of: RouterPort, destination: Cidr, maxMtu: number, mac: Mac | null): Draft[] {
  if (mac === null) return routeTo(of, destination, maxMtu, endOf('unresolved'), 'fault');
  const { load, actions } = leaveBy(of);
  const to = rewrite<'route'>('eth_dst', macToBits(mac));
  const then = { load, actions: [...actions, to, resubmit<'route'>('l2')] };
  return routeTo(of, destination, maxMtu, then, 'routed');
}

/** The router's own address answers echo requests, and takes nothing else. */
export function ownAddress({ number, port }: RouterPort, ip: Cidr): Draft[] {
  const own = { [register.router]: number, ...destinationIn(ip) };
  const turned: readonly ActionOf<'route'>[] =
    ip.family === 4
      ? [
          copyField<'route'>('ip_src', 'ip_dst', 32),
          rewrite<'route'>('ip_src', Number(ip.bits)),
          rewrite<'route'>('icmp_type', icmpTypes.echoReply),
        ]
      : [
          copyField<'route'>('ipv6_src', 'ipv6_dst', 128),
          rewrite<'route'>('ipv6_src', ip.bits),
          rewrite<'route'>('icmpv6_type', icmpv6Types.echoReply),
        ];
  const request =
    ip.family === 4
      ? { ...icmp4, icmp_type: icmpTypes.echo, icmp_code: 0 }
      : { ...icmp6, icmpv6_type: icmpv6Types.echo, icmpv6_code: 0 };
  const actions = [
    clearConnection<'route'>(),
    copyField<'route'>('eth_src', 'eth_dst', 48),
    ...turned,
    rewrite<'route'>('nw_ttl', initialTtl),
    fromNowhere,
  ];
  return [
    flow(
      'route',
      'echo',
      { ...own, ...request, ip_frag: wholePacket },
      { actions, goto: 'router_answer' },
      { reason: 'echo', port: port.id },
    ),
    drop('route', 'own', own, { reason: 'router-address', drop: 'egress', port: port.id }),
  ];
}

/** What leads to a router's port and from it. */
export function routerPort(of: RouterPort): Draft[] {
  const { number, port, key, networkKey, role } = of;
  const to = sentTo(of);
  const why = { reason: 'router', port: port.id } as const;
  const mac = macToBits(port.mac);
  const sentHere = { value: 0, mask: flag.tunnelled };
  return [
    flow(
      'l2',
      'router',
      { [register.network]: networkKey, eth_dst: mac, [register.flags]: sentHere },
      {
        load: { [register.destination]: key, [register.destinationSet]: 0 },
        goto: role === 0 ? after('ingressRules') : 'isolation',
      },
      why,
    ),
    drop('l2', 'unknown', sentBy(of), { reason: 'unknown-destination', drop: 'egress', port: port.id }),
    ...piecesTo(of),
    flow(
      'dispatch',
      'router',
      to,
      { load: { [register.router]: number, [register.fault]: 0 }, goto: 'route' },
      why,
    ),
    flow(
      'router_answer',
      'port',
      to,
      {
        load: { [register.source]: key, [register.origin]: inOrigin(role), ...fresh },
        actions: [rewrite<'router_answer'>('eth_src', mac), resubmit<'router_answer'>('l2')],
      },
      { reason: 'echo', port: port.id },
    ),
  ];
}

/** Each host itself answers questions for a router's addresses, those about its link-local address too. */
export function answersOfRouter({ port, networkKey }: RouterPort, answersNd: boolean): Draft[] {
  const ips = port.fixedIps.some(({ family }) => family === 6)
    ? [...port.fixedIps, linkLocalOf(port.mac)]
    : port.fixedIps;
  return ips.flatMap((ip) => {
    const holder = { how: 'fixed', port, mac: port.mac, address: ip } as const;
    return [
      ...answer(networkKey, holder, answersNd),
      // Hosts ask their router itself whether it is still there (RFC 4861 7.3).
      ...answer(networkKey, holder, answersNd, 'holder'),
    ];
  });
}

export function nextHop(key: NetworkKey, network: NetworkId, ip: Cidr, mac: Mac): Draft[] {
  if (!isHost(ip)) return [];
  return [
    flow(
      'next_hop',
      'known',
      { [register.network]: key, ...destinationIn(ip) },
      { actions: [rewrite<'next_hop'>('eth_dst', macToBits(mac)), resubmit<'next_hop'>('l2')] },
      { reason: 'next-hop', network },
    ),
  ];
}

/** The agent may tell the sender; then the packet ends. */
const endOf = (fault: RoutingFault, mtu = 0) =>
  ({
    load: { [register.fault]: routingFaults[fault] | (mtu << mtuShift) },
    actions: [resubmit<'route'>('router_error')],
    goto: 'router_end',
  }) as const;

/** Without a meter a guest could flood the agent with packets, so then nothing is punted. */
export function errorsOf(local: LocalPort, meter: number | null): Draft[] {
  if (!local.up || meter === null) return [];
  const actions = [punt<'router_error'>(writePuntData({ kind: 'router-error', ...local }), meter)];
  const why = { reason: 'router-error', port: local.port.id } as const;
  return [flow('router_error', 'port', { [register.origin]: byInterface(local.ofport) }, { actions }, why)];
}

const families: readonly Family[] = [4, 6];
const nowhere = { reason: 'no-route', drop: 'egress' } as const;

export const routingDefaults: readonly Draft[] = [
  ...unroutable.sources.map((prefix) => drop('route', 'unroutable', sourceIn(prefix), nowhere)),
  ...unroutable.destinations.map((prefix) => drop('route', 'unroutable', destinationIn(prefix), nowhere)),
  ...families.flatMap((family) =>
    [0, 1].map((ttl) =>
      flow('route', 'expired', { ...ipOf(family), nw_ttl: ttl }, endOf('ttl-exceeded'), { reason: 'fault' }),
    ),
  ),
  ...[arp, rarp].map((match) => drop('route', 'own', match, { reason: 'router-address', drop: 'egress' })),
  flow('route', 'none', {}, endOf('no-route'), { reason: 'fault' }),
  flow(
    'next_hop',
    'unknown',
    {},
    {
      load: { [register.fault]: routingFaults.unresolved },
      actions: [resubmit<'next_hop'>('router_error')],
      goto: 'router_end',
    },
    { reason: 'fault' },
  ),
  ...routingFaultNames.map((reason) =>
    drop(
      'router_end',
      'fault',
      { [register.fault]: { value: routingFaults[reason], mask: faultMask } },
      { reason, drop: 'egress' },
    ),
  ),
];

/** No prefix is longer than an address, so a default route is one flow a family. */
export const isSamePrefix = (a: Cidr, b: Cidr): boolean =>
  a.family === b.family && a.length === b.length && cidr(a.family, a.bits, a.length).bits === b.bits;
