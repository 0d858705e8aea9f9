/**
 * The addresses that a port may claim: its MACs, its pairs of MAC and address, its link-local addresses. Also the
 * holders of an address in a network. A prefix pair gives every usable address that no other port names.
 * Reads facts of the world, no packets.
 */
import { type Cidr, cidr, contains, isHost, linkLocalOf } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import { isUnusable } from '../net/unusable-addresses.ts';
import { broadcastOf, metadataAddresses } from './address-owners.ts';
import type { LinkLocal, NetworkId, Pair, Port, World } from './world.ts';
import {
  holdersByName,
  linkLocalsAt,
  linkLocalsOf,
  possibleHolders,
  reservedIn,
  subnetsOf,
} from './world-index.ts';

export interface Identity {
  readonly macs: ReadonlySet<Mac>;
  /** Fixed IPs with the port's MAC, then the allowed pairs. */
  readonly pairs: readonly Pair[];
  /** EUI-64 of every MAC, and the addresses that passed duplicate-address detection and are still the port's. */
  readonly linkLocals: readonly Pair[];
  /** Whether the port may hear an address of its pairs but not claim it: unusable, a broadcast, or reserved. */
  readonly isWithheld: (address: Cidr) => boolean;
  /** Whether another port has the address, so that a prefix pair does not give it. */
  readonly isOthers: (address: Cidr) => boolean;
}

const identities = new WeakMap<World, Map<Port, Identity>>();

export function identityOf(world: World, port: Port): Identity {
  let known = identities.get(world);
  if (known === undefined) identities.set(world, (known = new Map()));
  let identity = known.get(port);
  if (identity === undefined) known.set(port, (identity = deriveIdentity(world, port)));
  return identity;
}

/** Whether the network or another port owns a link-local address. Allowing reserved pairs changes nothing here. */
function isOthersLinkLocal(world: World, { id, network }: Port, address: Cidr): boolean {
  const gateways = subnetsOf(world, network).map(({ gateway }) => gateway);
  const ofNetwork = [...gateways, ...metadataAddresses].some((ip) => ip !== null && sameIp(ip, address));
  return ofNetwork || holdersByName(world, network, address).some((port) => port.id !== id);
}

const macsOf = (port: Port): Set<Mac> => new Set([port.mac, ...port.pairs.map((pair) => pair.mac)]);

/** Whether an address that passed duplicate-address detection is still the port's. */
function isKept(world: World, port: Port, { network, mac, address }: LinkLocal): boolean {
  return network === port.network && macsOf(port).has(mac) && !isOthersLinkLocal(world, port, address);
}

function isWithheld(world: World, port: Port, address: Cidr): boolean {
  const same = (other: Cidr | null): boolean => other !== null && sameIp(other, address);
  if (port.fixedIps.some(same) || same(linkLocalOf(port.mac))) return false;
  const broadcast = subnetsOf(world, port.network).map(broadcastOf).some(same);
  return broadcast || isUnusable(address) || reservedIn(world, port.network).some(same);
}

function isOthers(world: World, { id, network }: Port, address: Cidr): boolean {
  // Addresses of cloud-owned ports are withheld as reserved, or the network allows pairs to claim them.
  const named = holdersByName(world, network, address).some((port) => port.id !== id && !port.cloudOwned);
  const learned = linkLocalsAt(world, network, address).some((item) => {
    const port = world.ports.get(item.port);
    return item.port !== id && port !== undefined && isKept(world, port, item);
  });
  return named || learned;
}

function deriveIdentity(world: World, port: Port): Identity {
  const pairs = [...port.fixedIps.map((ip) => ({ mac: port.mac, ip })), ...port.pairs];
  const macs = macsOf(port);
  const linkLocals: Pair[] = [...macs].map((mac) => ({ mac, ip: linkLocalOf(mac) }));
  for (const item of linkLocalsOf(world, port.id))
    if (isKept(world, port, item)) linkLocals.push({ mac: item.mac, ip: item.address });
  return {
    macs,
    pairs,
    linkLocals,
    isWithheld: (address) => isWithheld(world, port, address),
    isOthers: (address) => isOthers(world, port, address),
  };
}

const holds = (pairs: readonly Pair[], address: Cidr, mac: Mac | null): boolean =>
  pairs.some((pair) => (mac === null || pair.mac === mac) && contains(pair.ip, address));

/** Whether the port names the address, under any of its MACs, rather than covers it by a prefix. */
export const isNamed = (own: Identity, address: Cidr): boolean =>
  [...own.pairs, ...own.linkLocals].some(({ ip }) => isHost(ip) && sameIp(ip, address));

/** Whether the port may claim `address` with `mac`. */
export const ownsAddress = (own: Identity, address: Cidr, mac: Mac): boolean =>
  (holds(own.pairs, address, mac) || holds(own.linkLocals, address, mac)) &&
  !own.isWithheld(address) &&
  (isNamed(own, address) || !own.isOthers(address));

/** Whether packets to `address` are for the port, under any of its MACs. */
export const coversAddress = (own: Identity, address: Cidr): boolean =>
  holds(own.pairs, address, null) || holds(own.linkLocals, address, null);

/** Whether a fixed IP or a pair of one address is this address. Prefixes do not count. */
export function namesAddress(port: Port, address: Cidr): boolean {
  const same = (ip: Cidr) => isHost(ip) && contains(ip, address);
  return port.fixedIps.some(same) || port.pairs.some((pair) => same(pair.ip));
}

/**
 * The prefix length by which a pair holds an address, or null. A pair of one address holds it. A prefix holds it only
 * inside one of the network's subnets.
 */
function reachOf(pair: Cidr, address: Cidr, subnets: readonly Cidr[]): number | null {
  if (!contains(pair, address)) return null;
  if (isHost(pair)) return pair.length;
  const home = subnets.find((subnet) => contains(subnet, address));
  return home === undefined ? null : Math.max(home.length, pair.length);
}

/**
 * The holders of an address in a network: the ports with the longest prefix over it, all of them when several.
 * Nobody holds link-local addresses here: remote groups mean the addresses that the API names.
 */
export function holdersOf(world: World, network: NetworkId, address: Cidr): Port[] {
  const subnets = subnetsOf(world, network).map(({ cidr }) => cidr);
  let best = 0;
  let holders: Port[] = [];
  for (const port of possibleHolders(world, network, address)) {
    let reach = 0;
    for (const ip of port.fixedIps) reach = Math.max(reach, reachOf(ip, address, subnets) ?? 0);
    for (const { ip } of port.pairs) reach = Math.max(reach, reachOf(ip, address, subnets) ?? 0);
    if (reach === 0 || reach < best) continue;
    if (reach > best) holders = [];
    best = reach;
    holders.push(port);
  }
  return holders;
}

export const unspecified4: Cidr = cidr(4, 0n);
export const unspecified6: Cidr = cidr(6, 0n);
export const sameIp = (a: Cidr, b: Cidr): boolean => a.family === b.family && a.bits === b.bits;
