/**
 * Who a port may say it is: its MACs, its pairs of MAC and address, its link-local addresses, and who holds a
 * given MAC or address in a network. Facts of the world only, no packets.
 */
import { type Cidr, cidr, contains, isHost, linkLocalOf } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import { metadataAddresses, withheldFrom } from './address-owners.ts';
import type { NetworkId, Pair, Port, World } from './world.ts';
import { holdersByName, linkLocalsOf, possibleHolders, reservedIn, subnetsOf } from './world-index.ts';

export interface Identity {
  readonly macs: ReadonlySet<Mac>;
  /** Fixed IPs with the port's MAC, then the allowed pairs. */
  readonly pairs: readonly Pair[];
  /** EUI-64 of every MAC, and what passed duplicate-address detection on the port and is nobody else's since. */
  readonly linkLocals: readonly Pair[];
  /** Reserved addresses that lie in a pair: heard, but never spoken for. */
  readonly withheld: readonly Cidr[];
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

function deriveIdentity(world: World, port: Port): Identity {
  const pairs = [...port.fixedIps.map((ip) => ({ mac: port.mac, ip })), ...port.pairs];
  const macs = new Set([port.mac, ...port.pairs.map((pair) => pair.mac)]);
  const linkLocals: Pair[] = [...macs].map((mac) => ({ mac, ip: linkLocalOf(mac) }));
  for (const { network, mac, address } of linkLocalsOf(world, port.id))
    if (network === port.network && macs.has(mac) && !isOthersLinkLocal(world, port, address))
      linkLocals.push({ mac, ip: address });
  return { macs, pairs, linkLocals, withheld: withheldFrom(port, reservedIn(world, port.network)) };
}

const holds = (pairs: readonly Pair[], address: Cidr, mac: Mac | null): boolean =>
  pairs.some((pair) => (mac === null || pair.mac === mac) && contains(pair.ip, address));

const isWithheld = (own: Identity, address: Cidr): boolean =>
  own.withheld.some((reserved) => sameIp(reserved, address));

/** Whether the port may speak for `address` from `mac` by one of its pairs. */
export const ownsPair = (own: Identity, address: Cidr, mac: Mac): boolean =>
  holds(own.pairs, address, mac) && !isWithheld(own, address);

/** The same, link-locals included. */
export const ownsAddress = (own: Identity, address: Cidr, mac: Mac): boolean =>
  (holds(own.pairs, address, mac) || holds(own.linkLocals, address, mac)) && !isWithheld(own, address);

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
