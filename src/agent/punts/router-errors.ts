/**
 * ICMP errors of routers (RFC 1812 4.3.2, RFC 4443 2.4) about packets that a router cannot send on. The error enters the switch in
 * the router itself. So it takes the router's own way back, and its receiver's host tracks and judges it as any packet.
 */
import { type Cidr, contains } from '../../net/cidr.ts';
import { parseEthernet } from '../../net/packet/ethernet.ts';
import { type Ip, parseFrame } from '../../net/packet/frame.ts';
import { icmpTypes } from '../../net/packet/icmp.ts';
import { buildIcmpError } from '../../net/packet/icmp-error.ts';
import { icmpv6Types } from '../../net/packet/icmpv6.ts';
import { protocols } from '../../net/packet/transport.ts';
import type { RouterPort } from '../../pipeline/features/routing/relations.ts';
import { register } from '../../pipeline/registers.ts';
import {
  faultMask,
  mtuShift,
  type RoutingFault,
  routingFaultNames,
  routingFaults,
} from '../../pipeline/routing-faults.ts';
import type { RouterRoute } from '../../policy/world.ts';
import { ignored, type PuntHandler } from './handler.ts';

const maxWaitingPerPort = 40;

const unreachable = { network: 0, host: 1, tooBig: 4, route6: 0, address6: 3 } as const;

/** Type and code, by family. */
const errors: Readonly<Record<RoutingFault, Readonly<Record<4 | 6, { type: number; code: number }>>>> = {
  'ttl-exceeded': {
    4: { type: icmpTypes.timeExceeded, code: 0 },
    6: { type: icmpv6Types.timeExceeded, code: 0 },
  },
  'no-route': {
    4: { type: icmpTypes.unreachable, code: unreachable.network },
    6: { type: icmpv6Types.unreachable, code: unreachable.route6 },
  },
  unresolved: {
    4: { type: icmpTypes.unreachable, code: unreachable.host },
    6: { type: icmpv6Types.unreachable, code: unreachable.address6 },
  },
  'too-big': {
    4: { type: icmpTypes.unreachable, code: unreachable.tooBig },
    6: { type: icmpv6Types.packetTooBig, code: 0 },
  },
};

/** Queries and answers. No error is sent about any other ICMP: it may be an error itself. */
const answerable4: ReadonlySet<number> = new Set([0, 8, 9, 10, 13, 14, 15, 16, 17, 18]);
const isAnswerable6 = (type: number): boolean => type >= 128 && type !== icmpv6Types.redirect;

function isAnswerable({ family, protocol, fragment, payload }: Ip): boolean {
  if (fragment !== null && fragment.offset > 0) return false;
  if (protocol !== protocols.icmp && protocol !== protocols.icmpv6) return true;
  const type = payload[0];
  return type !== undefined && (family === 4 ? answerable4.has(type) : isAnswerable6(type));
}

/** The broadcast address of a subnet; none where the subnet is too small to have one (RFC 3021). */
const isBroadcast = (prefix: Cidr, { family, bits }: Cidr): boolean =>
  family === 4 &&
  prefix.family === 4 &&
  prefix.length < 31 &&
  bits === (prefix.bits | ((1n << BigInt(32 - prefix.length)) - 1n));

/** The router's address on the side where its way to an address begins; null without a way. */
function addressTowards(to: Cidr, ports: readonly RouterPort[], routes: readonly RouterRoute[]): Cidr | null {
  const sideOf = (ip: Cidr) =>
    ports
      .flatMap(({ port, prefixes }) => prefixes.map((prefix) => ({ port, prefix })))
      .filter(({ prefix }) => contains(prefix, ip))
      .sort((a, b) => b.prefix.length - a.prefix.length)[0];
  let side = sideOf(to);
  let longest = side?.prefix.length ?? -1;
  const inOrder = [...routes].sort((a, b) => (a.nextHop.bits < b.nextHop.bits ? -1 : 1));
  for (const { destination, nextHop } of inOrder) {
    const by = sideOf(nextHop);
    if (by === undefined || !contains(destination, to) || destination.length <= longest) continue;
    side = by;
    longest = destination.length;
  }
  return side?.port.fixedIps.find((ip) => contains(side.prefix, ip)) ?? null;
}

export const routerErrors: PuntHandler = {
  maxWaitingPerPort,
  handle: ({ data, fields }, { facts, relations }) => {
    const said = Number(fields[register.fault] ?? 0);
    const fault = routingFaultNames.find((name) => routingFaults[name] === (said & faultMask));
    const router = fields[register.router];
    const bytes = Buffer.from(data);
    const ip = parseFrame(bytes)?.ip;
    const about = parseEthernet(bytes)?.payload;
    if (fault === undefined || typeof router !== 'number' || !ip || about === undefined) return ignored;
    const ports = [...(relations.portsOfNumber.get(router)?.values() ?? [])];
    const prefixes = ports.flatMap((each) => each.prefixes);
    if (!isAnswerable(ip) || prefixes.some((prefix) => isBroadcast(prefix, ip.dst))) return ignored;
    const [any] = ports;
    const routes = (any && facts.routers.get(any.router)?.routes) ?? [];
    const src = addressTowards(ip.src, ports, routes);
    if (src === null) return ignored;
    const mtu = fault === 'too-big' ? said >>> mtuShift : 0;
    const packet = buildIcmpError({ src, dst: ip.src, ...errors[fault][ip.family], mtu, about });
    return { kind: 'router-sends', router, family: ip.family, packet };
  },
};
