/**
 * Who a port may say it is: its MACs, its pairs of MAC and address, its link-local addresses, and who holds a
 * given MAC or address in a network. Facts of the world only, no packets.
 */
import { type Cidr, cidr, contains, isHost, linkLocalOf } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import type { NetworkId, Pair, Port, World } from './world.ts';

export interface Identity {
  readonly macs: ReadonlySet<Mac>;
  /** Fixed IPs with the port's MAC, then the allowed pairs. */
  readonly pairs: readonly Pair[];
  /** EUI-64 of every MAC, and what passed duplicate-address detection on the port. */
  readonly linkLocals: readonly Pair[];
}

export function identityOf(world: World, port: Port): Identity {
  const pairs = [...port.fixedIps.map((ip) => ({ mac: port.mac, ip })), ...port.pairs];
  const macs = new Set([port.mac, ...port.pairs.map((pair) => pair.mac)]);
  const linkLocals: Pair[] = [...macs].map((mac) => ({ mac, ip: linkLocalOf(mac) }));
  for (const recorded of world.linkLocals) {
    if (recorded.port === port.id && macs.has(recorded.mac)) {
      linkLocals.push({ mac: recorded.mac, ip: recorded.address });
    }
  }
  return { macs, pairs, linkLocals };
}

const holds = (pairs: readonly Pair[], address: Cidr, mac: Mac | null): boolean =>
  pairs.some((pair) => (mac === null || pair.mac === mac) && contains(pair.ip, address));

/** Whether `address` is the port's, under `mac` when one is given. */
export const ownsPair = (own: Identity, address: Cidr, mac: Mac | null): boolean =>
  holds(own.pairs, address, mac);

export const ownsAddress = (own: Identity, address: Cidr, mac: Mac | null): boolean =>
  holds(own.pairs, address, mac) || holds(own.linkLocals, address, mac);

export const ownsLinkLocal = (own: Identity, address: Cidr, mac: Mac | null): boolean =>
  holds(own.linkLocals, address, mac);

export function portsOf(world: World, network: NetworkId): Port[] {
  return [...world.ports.values()].filter((port) => port.network === network);
}

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
  const subnets = [...world.subnets.values()].filter((s) => s.network === network).map((s) => s.cidr);
  let best = 0;
  let holders: Port[] = [];
  for (const port of portsOf(world, network)) {
    const own = identityOf(world, port);
    let reach = 0;
    for (const pair of own.pairs) {
      reach = Math.max(reach, reachOf(pair.ip, address, subnets) ?? 0);
    }
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
