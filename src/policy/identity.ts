/**
 * Who a port may say it is: its MACs, its pairs of MAC and address, its link-local addresses, and who holds a
 * given MAC or address in a network. A prefix pair gives what a guest can have and nobody else has by name.
 * Facts of the world only, no packets.
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
  /** EUI-64 of every MAC, and what passed duplicate-address detection on the port and is nobody else's since. */
  readonly linkLocals: readonly Pair[];
  /** Whether an address that a pair holds is heard but never spoken for: unusable, a broadcast, or reserved. */
  readonly isWithheld: (address: Cidr) => boolean;
  /** Whether an address is some other port's, so that a prefix pair does not give it. */
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

/** Whether a link-local address is the network's or, by name, another port's. Lending is about pairs alone. */
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
  // What is lent of services is withheld from nobody; as long as it is not, it is withheld as reserved.
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

/** Whether an address is the port's by name rather than by a prefix, under whichever of its MACs. */
export const isNamed = (own: Identity, address: Cidr): boolean =>
  [...own.pairs, ...own.linkLocals].some(({ ip }) => isHost(ip) && sameIp(ip, address));

/** Whether the port may speak for `address` from `mac`. */
export const ownsAddress = (own: Identity, address: Cidr, mac: Mac): boolean =>
  (holds(own.pairs, address, mac) || holds(own.linkLocals, address, mac)) &&
  !own.isWithheld(address) &&
  (isNamed(own, address) || !own.isOthers(address));

/** Whether `address` is one that the port is spoken to by, from whichever of its MACs. */
export const coversAddress = (own: Identity, address: Cidr): boolean =>
  holds(own.pairs, address, null) || holds(own.linkLocals, address, null);

/** Whether the port names exactly this address: a fixed IP, or a pair of full length. Prefixes do not count. */
export function namesAddress(port: Port, address: Cidr): boolean {
  const same = (ip: Cidr) => isHost(ip) && contains(ip, address);
  return port.fixedIps.some(same) || port.pairs.some((pair) => same(pair.ip));
}

/**
 * The part of a pair that counts for its neighbours: a prefix only as far as it lies in one of the network's
 * subnets, a full address as it is.
 */
function reachOf(pair: Cidr, address: Cidr, subnets: readonly Cidr[]): number | null {
  if (!contains(pair, address)) return null;
  if (isHost(pair)) return pair.length;
  const home = subnets.find((subnet) => contains(subnet, address));
  return home === undefined ? null : Math.max(home.length, pair.length);
}

/**
 * The ports that hold an address in a network: those with the longest prefix over it, all of them when several.
 * Link-local addresses are held by nobody here: remote groups mean the addresses that the API names.
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
