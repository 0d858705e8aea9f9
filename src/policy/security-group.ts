/**
 * Security groups: whether any rule of any of a port's groups admits a packet. A port without groups admits nothing.
 */
import { type Cidr, contains, type Family } from '../net/cidr.ts';
import type { Ip } from '../net/packet/frame.ts';
import { protocols } from '../net/packet/transport.ts';
import { holdersOf } from './identity.ts';
import { homesOfRouter } from './routing.ts';
import type { Direction, L4Match, NetworkId, Port, Remote, Router, Rule, World } from './world.ts';
import { isInAddressGroup, rulesOf } from './world-index.ts';

const withPorts: ReadonlySet<number> = new Set([protocols.tcp, protocols.udp, protocols.sctp]);

export function serves(l4: L4Match, ip: Ip): boolean {
  if (l4.kind === 'any') return true;
  if (l4.protocol !== ip.protocol) return false;
  const { upper } = ip;
  if (l4.kind === 'protocol') return true;
  if (l4.kind === 'icmp') {
    if (upper?.kind !== 'icmp' || upper.type !== l4.type) return false;
    return l4.code === null || upper.code === l4.code;
  }
  if (upper?.kind !== 'segment' || !withPorts.has(l4.protocol)) return false;
  return upper.dstPort >= l4.min && upper.dstPort <= l4.max;
}

/**
 * Who has a peer's address: the ports of the network, or of the networks of the router between port and peer. Behind a
 * router only an address of one of its subnets counts, so that no port of another network passes for its holder.
 */
function membersAt(world: World, network: NetworkId, via: Router | null, peer: Cidr): Port[] {
  if (via === null) return holdersOf(world, network, peer);
  return homesOfRouter(world, via)
    .filter(({ home }) => contains(home, peer))
    .flatMap(({ port }) => holdersOf(world, port.network, peer));
}

/** Whether a peer's address belongs to a rule's remote side, seen from `network` or through a router. */
export function isRemote(
  world: World,
  network: NetworkId,
  via: Router | null,
  remote: Remote,
  peer: Cidr,
): boolean {
  if (remote.kind === 'any') return true;
  if (remote.kind === 'prefix') return contains(remote.prefix, peer);
  if (remote.kind === 'addresses') {
    const group = world.addressGroups.get(remote.group);
    return group !== undefined && isInAddressGroup(group, peer);
  }
  return membersAt(world, network, via, peer).some((port) => port.groups.includes(remote.group));
}

/**
 * Whether rules judge each packet of a port by itself, without connections. That is so when all its groups are
 * stateless, or when its rules admit everything in both directions, so that a connection would add nothing.
 */
export function isUntracked(world: World, port: Port, family: Family): boolean {
  const { groups } = port;
  if (groups.length === 0) return false;
  if (groups.every((group) => world.groups.get(group)?.stateful === false)) return true;
  return (['egress', 'ingress'] as const).every((direction) =>
    rulesOf(world, port, direction, family).some(
      ({ l4, remote }) => l4.kind === 'any' && remote.kind === 'any',
    ),
  );
}

const detailedKinds: ReadonlySet<L4Match['kind']> = new Set(['ports', 'icmp']);

/**
 * The first rule that admits a packet, or null. `direction` is the port's view: the peer of an ingress packet is its
 * source, and `via` the router between port and peer. Rules that ask for more than the protocol count only when `detailed`.
 */
export function admittingRule(
  world: World,
  port: Port,
  direction: Direction,
  ip: Ip,
  via: Router | null,
  detailed = true,
): Rule | null {
  const peer = direction === 'egress' ? ip.dst : ip.src;
  for (const rule of rulesOf(world, port, direction, ip.family)) {
    if (!detailed && detailedKinds.has(rule.l4.kind)) continue;
    if (serves(rule.l4, ip) && isRemote(world, port.network, via, rule.remote, peer)) return rule;
  }
  return null;
}

export const admits = (world: World, port: Port, direction: Direction, ip: Ip, via: Router | null): boolean =>
  admittingRule(world, port, direction, ip, via) !== null;
