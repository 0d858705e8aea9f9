/**
 * Routers in the evaluator: which router a frame is for, and where the router sends it. A router is on each host that has a
 * port on one of its networks. Decides nothing about connections and rules.
 */
import { bug } from '../base/errors.ts';
import { type Cidr, contains, linkLocalOf, parseCidr } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import type { Frame, Ip } from '../net/packet/frame.ts';
import { icmpTypes } from '../net/packet/icmp.ts';
import { icmpv6Types } from '../net/packet/icmpv6.ts';
import type { DropReason } from './drop-reasons.ts';
import { coversAddress, identityOf, namesAddress, sameIp } from './identity.ts';
import type { Subject } from './packet.ts';
import { icmpErrorTo } from './router-errors.ts';
import type { NetworkId, Port, Router, World } from './world.ts';
import { portsOf, routersOn, subnetsOf } from './world-index.ts';

/** A router, and its port on a network. */
export interface Entrance {
  readonly router: Router;
  readonly port: Port;
}

export type Routed =
  | { readonly way: 'drop'; readonly reason: DropReason; readonly address: Cidr | null }
  /** By the router's port, to the MAC of the next hop. */
  | { readonly way: 'onward'; readonly port: Port; readonly frame: Frame }
  /** The router's own answer, by the port that the question came to. */
  | { readonly way: 'answer'; readonly frame: Frame };

const isUp = (world: World, port: Port): boolean =>
  port.adminUp && world.networks.get(port.network)?.adminUp === true;

/** The router's ports that carry packets. */
const portsOfRouter = (world: World, { ports }: Router): Port[] =>
  ports
    .map((id) => world.ports.get(id))
    .filter((port): port is Port => port !== undefined && isUp(world, port))
    .sort((a, b) => (a.id < b.id ? -1 : 1));

const isOn = (world: World, host: string, router: Router): boolean =>
  portsOfRouter(world, router).some(({ network }) =>
    portsOf(world, network).some((port) => port.host === host),
  );

/** The routers of a host that have a port on a network. */
export const entrances = (world: World, host: string, network: NetworkId): Entrance[] =>
  routersOn(world, network)
    .filter(({ router, port }) => router.adminUp && isUp(world, port))
    .filter(({ router }) => isOn(world, host, router));

/** Whether a router's port sends what a tunnel brings, from whichever host. */
export const isPortOfRouter = (world: World, { id, network }: Port): boolean =>
  routersOn(world, network).some(({ router, port }) => router.adminUp && port.id === id && isUp(world, port));

/** A router sends from every host. */
export const routerWithMac = (world: World, network: NetworkId, mac: Mac): Port | null =>
  routersOn(world, network).find(({ port }) => port.mac === mac && isPortOfRouter(world, port))?.port ?? null;

/** The router's port that a host answers for when a port asks for an address. */
export function routerAt(world: World, host: string, asking: Port, address: Cidr): Port | null {
  if (coversAddress(identityOf(world, asking), address)) return null;
  const found = entrances(world, host, asking.network).find(
    ({ port }) =>
      port.fixedIps.some((ip) => sameIp(ip, address)) ||
      (port.fixedIps.some(({ family }) => family === 6) && sameIp(linkLocalOf(port.mac), address)),
  );
  return found?.port ?? null;
}

const prefixes = (texts: readonly string[]): Cidr[] =>
  texts.map((text) => parseCidr(text) ?? bug(`not a prefix: ${text}`));
/** What is of one host or link, or nobody's. */
const local = prefixes(['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '::/128', '::1/128', 'fe80::/10']);
const groups = prefixes(['224.0.0.0/3', 'ff00::/8']);
const isIn = (list: readonly Cidr[], address: Cidr): boolean =>
  list.some((prefix) => contains(prefix, address));

const isUnroutable = ({ src, dst }: Ip): boolean => isIn(local, src) || isIn(local, dst) || isIn(groups, dst);

function isEcho({ family, upper }: Ip): boolean {
  if (upper?.kind !== 'icmp' || upper.code !== 0) return false;
  return upper.type === (family === 4 ? icmpTypes.echo : icmpv6Types.echo);
}

/** What the echo request becomes. */
function answered(frame: Frame, ip: Ip, port: Port): Frame {
  if (ip.upper?.kind !== 'icmp') return frame;
  const type = ip.family === 4 ? icmpTypes.echoReply : icmpv6Types.echoReply;
  return {
    ...frame,
    ethernet: { ...frame.ethernet, src: port.mac, dst: frame.ethernet.src },
    ip: { ...ip, src: ip.dst, dst: ip.src, hopLimit: 64, upper: { ...ip.upper, type } },
  };
}

interface Way {
  readonly port: Port;
  readonly nextHop: Cidr;
}

const homesOf = (world: World, port: Port): Cidr[] =>
  subnetsOf(world, port.network)
    .map(({ cidr }) => cidr)
    .filter((subnet) => port.fixedIps.some((ip) => contains(subnet, ip)));

/** The subnets in which a router has addresses, with its ports there. */
export const homesOfRouter = (world: World, router: Router): { readonly port: Port; readonly home: Cidr }[] =>
  portsOfRouter(world, router).flatMap((port) => homesOf(world, port).map((home) => ({ port, home })));

/** The router that a port belongs to and carries packets for. */
export const routerOfPort = (world: World, { id, network }: Port): Router | null =>
  routersOn(world, network).find(({ router, port }) => router.adminUp && port.id === id && isUp(world, port))
    ?.router ?? null;

/** By the longest prefix; a subnet of the router before a route to it; of several next hops the lowest. */
function wayTo(world: World, router: Router, dst: Cidr): Way | null {
  const ports = portsOfRouter(world, router);
  let best = -1;
  let way: Way | null = null;
  for (const port of ports)
    for (const home of homesOf(world, port))
      if (contains(home, dst) && home.length > best) {
        best = home.length;
        way = { port, nextHop: dst };
      }
  for (const { destination, nextHop } of router.routes) {
    if (!contains(destination, dst) || destination.length < best) continue;
    const port = ports.find((each) => homesOf(world, each).some((home) => contains(home, nextHop)));
    if (port === undefined) continue;
    const wins = destination.length > best || (way !== null && isLower(way, nextHop, dst));
    if (!wins) continue;
    best = destination.length;
    way = { port, nextHop };
  }
  return way;
}

/** Among routes of one length. What the router is connected to stays. */
const isLower = ({ nextHop: old }: Way, fresh: Cidr, dst: Cidr): boolean =>
  !sameIp(old, dst) && fresh.bits < old.bits;

/** The one MAC at which ports of hosts, and routers, have an address. */
function macAt(world: World, network: NetworkId, address: Cidr): Mac | null {
  const macs = new Set<Mac>();
  for (const port of portsOf(world, network)) {
    if (!port.adminUp || !namesAddress(port, address)) continue;
    if (port.host === null && !isPortOfRouter(world, port)) continue;
    if (port.fixedIps.some((ip) => sameIp(ip, address))) macs.add(port.mac);
    for (const { ip, mac } of port.pairs)
      if (ip.length === address.length && sameIp(ip, address)) macs.add(mac);
  }
  const [mac] = macs;
  return macs.size === 1 && mac !== undefined ? mac : null;
}

/** The router's address on the side of its way to an address; null where it has no way there. */
function addressTowards(world: World, router: Router, to: Cidr): Cidr | null {
  const way = wayTo(world, router, to);
  if (way === null) return null;
  const [home] = homesOf(world, way.port)
    .filter((each) => contains(each, way.nextHop))
    .sort((a, b) => b.length - a.length);
  return (home && way.port.fixedIps.find((ip) => contains(home, ip))) ?? null;
}

/** What the router says to the sender of a packet that ended in it; null for nothing. */
export function errorOf(world: World, router: Router, reason: DropReason, subject: Subject): Frame | null {
  const { ip } = subject.frame;
  if (ip === null || isUnroutable(ip)) return null;
  const from = addressTowards(world, router, ip.src);
  if (from === null) return null;
  const homes = homesOfRouter(world, router).map(({ home }) => home);
  return icmpErrorTo(reason, subject, from, homes);
}

/** Only where networks of the router differ: guests keep to the MTU of their own. */
function isTooBig(world: World, router: Router, { network }: Port, { size }: Ip): boolean {
  const mtuOf = (id: NetworkId): number => world.networks.get(id)?.mtu ?? Number.POSITIVE_INFINITY;
  const joined = portsOfRouter(world, router).map((port) => mtuOf(port.network));
  return joined.some((mtu) => mtu > mtuOf(network)) && size > mtuOf(network);
}

export function route(world: World, { router, port }: Entrance, { frame, fragmented }: Subject): Routed {
  const { ip } = frame;
  const end = (reason: DropReason): Routed => ({ way: 'drop', reason, address: ip?.dst ?? null });
  if (ip === null) return end('router-address');
  const own = portsOfRouter(world, router).some(({ fixedIps }) =>
    fixedIps.some((each) => sameIp(each, ip.dst)),
  );
  if (own) {
    if (fragmented || !isEcho(ip)) return end('router-address');
    return { way: 'answer', frame: answered(frame, ip, port) };
  }
  if (isUnroutable(ip)) return end('no-route');
  if (ip.hopLimit <= 1) return end('ttl-exceeded');
  const way = wayTo(world, router, ip.dst);
  if (way === null) return end('no-route');
  const { isolated, hairpin } = world.networks.get(port.network) ?? {};
  if (isolated === true && hairpin === false && way.port.network === port.network) return end('isolated');
  if (isTooBig(world, router, way.port, ip)) return end('too-big');
  const dst = macAt(world, way.port.network, way.nextHop);
  if (dst === null) return end('unresolved');
  return {
    way: 'onward',
    port: way.port,
    frame: {
      ...frame,
      ethernet: { ...frame.ethernet, src: way.port.mac, dst },
      ip: { ...ip, hopLimit: ip.hopLimit - 1 },
    },
  };
}
