/**
 * One port of this host with all that its flows need to know: its keys, and every address it may use.
 * Pure derivation from the world; no flows here.
 */
import { type Cidr, type Family, linkLocalOf } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import { macsOf, withheldFrom } from '../policy/address-owners.ts';
import type { LinkLocal, Pair, Port } from '../policy/world.ts';

export interface LocalPort {
  readonly port: Port;
  /** Whether it carries packets: the port and its network are both administratively up. */
  readonly up: boolean;
  /** OpenFlow port number of its interface. */
  readonly ofport: number;
  /** Stands for the port in registers and connection labels. */
  readonly key: number;
  /** The network's key and conntrack zone. */
  readonly zone: number;
  /** Stands for the port's set of security groups; 0 is the empty set. */
  readonly set: number;
  /** The set's canonical name; empty without groups, and while nothing guards the port. */
  readonly groups: string;
  readonly macs: readonly Mac[];
  /** Pairs and link-locals: what an IPv6 source, target or destination of the port may be. */
  readonly pairs6: readonly Pair[];
  readonly pairs4: readonly Pair[];
  /** Reserved addresses that lie in a pair: the port hears them, but never speaks for them. */
  readonly withheld: readonly Cidr[];
}

/** The families in which a set of groups needs no connection tracking. */
export type Untracked = Readonly<Record<Family, boolean>>;

/** The canonical name of a set of groups. */
export const setName = (groups: readonly string[]): string => [...new Set(groups)].sort().join(',');

/** Fixed IPs with the port's MAC, then the allowed pairs, each once. */
export function pairsOf(port: Port): Pair[] {
  const pairs = [...port.fixedIps.map((ip): Pair => ({ mac: port.mac, ip })), ...port.pairs];
  const seen = new Map(
    pairs.map((pair) => [`${pair.mac}|${pair.ip.bits}/${pair.ip.length}/${pair.ip.family}`, pair]),
  );
  return [...seen.values()];
}

export function localPort(
  port: Port,
  linkLocals: Iterable<LinkLocal>,
  reserved: readonly Cidr[],
  place: Pick<LocalPort, 'up' | 'ofport' | 'key' | 'zone' | 'set' | 'groups'>,
): LocalPort {
  const macs = macsOf(port);
  const pairs = pairsOf(port);
  const ownLinkLocals = new Map<string, Pair>();
  for (const mac of macs) ownLinkLocals.set(`${mac}|${linkLocalOf(mac).bits}`, { mac, ip: linkLocalOf(mac) });
  for (const { mac, address } of linkLocals)
    ownLinkLocals.set(`${mac}|${address.bits}`, { mac, ip: address });
  const of = (family: Family): Pair[] => pairs.filter(({ ip }) => ip.family === family);
  return {
    port,
    ...place,
    macs,
    pairs4: of(4),
    pairs6: [...of(6), ...ownLinkLocals.values()],
    withheld: withheldFrom(port, reserved),
  };
}
