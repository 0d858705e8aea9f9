/**
 * One port of this host with all that its flows need to know: its keys, and every address it may use.
 * Pure derivation from the world; no flows here.
 */
import type { NetworkKey, PortKey } from '../model/numbers.ts';
import { type Cidr, contains, type Family, isHost, linkLocalOf } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import { isUnusable } from '../net/unusable-addresses.ts';
import { macsOf } from '../policy/address-owners.ts';
import { sameIp } from '../policy/identity.ts';
import type { LinkLocal, Pair, Port } from '../policy/world.ts';
import { register } from './registers.ts';
import type { Zone } from './zone.ts';

export interface LocalPort {
  readonly port: Port;
  /** Whether it carries packets: the port and its network are both administratively up. */
  readonly up: boolean;
  /** OpenFlow port number of its interface. */
  readonly ofport: number;
  /** Stands for the port, in its network, in registers and connection records. */
  readonly key: PortKey;
  readonly networkKey: NetworkKey;
  readonly zone: Zone;
  /** Stands for its role in an isolated network; 0 in other networks. */
  readonly role: number;
  /** Stands for the port's set of security groups; 0 is the empty set. */
  readonly set: number;
  /** The set's canonical name; empty without groups, and while nothing guards the port. */
  readonly groups: string;
  readonly macs: readonly Mac[];
  /** Pairs and link-locals: what the port hears. */
  readonly pairs6: readonly Pair[];
  readonly pairs4: readonly Pair[];
  /** Of these what it may speak for: the addresses that it has by name, and prefixes less what is reserved. */
  readonly named: readonly Pair[];
  readonly prefixes: readonly Pair[];
  /** Undefined while it stays. */
  readonly moving?: LocalMove;
}

/** A port here that is about to move: from this host, or to it. Until it has announced itself, it is on the other host. */
export interface LocalMove {
  readonly side: 'leaving' | 'arriving';
  /** Number of the arrival. */
  readonly number: number;
}

/** Whether it is plugged here but is still on another host, by the store. */
export const isArriving = ({ moving }: Pick<LocalPort, 'moving'>): boolean => moving?.side === 'arriving';

/** Whether it carries packets and is held to its addresses and rules. */
export const isGuarded = ({ up, port }: LocalPort): boolean => up && port.mode !== 'off';

/** A port as registers name it. */
export type KeyedPort = Pick<LocalPort, 'key' | 'networkKey'>;

/** Matches the packets that a port sent. */
export const sentBy = ({ key, networkKey }: KeyedPort) =>
  ({ [register.source]: key, [register.network]: networkKey }) as const;

/** Matches the packets that a port is to get. */
export const sentTo = ({ key, networkKey }: KeyedPort) =>
  ({ [register.destination]: key, [register.network]: networkKey }) as const;

/** The families in which a set of groups needs no connection tracking. */
export type Untracked = Readonly<Record<Family, boolean>>;

/** The canonical name of a set of groups. */
export const setName = (groups: readonly string[]): string => [...new Set(groups)].sort().join(',');

const distinct = (pairs: readonly Pair[]): Pair[] => [
  ...new Map(
    pairs.map((pair) => [`${pair.mac}|${pair.ip.bits}/${pair.ip.length}/${pair.ip.family}`, pair]),
  ).values(),
];

/** Fixed IPs with the port's MAC, then the allowed pairs, each once. */
const pairsOf = (port: Port): Pair[] =>
  distinct([...port.fixedIps.map((ip): Pair => ({ mac: port.mac, ip })), ...port.pairs]);

/** Addresses that the port has by name; where a prefix pair covers one, with that pair's MAC too. */
function namedPairs(port: Port, held: readonly Pair[], withheld: readonly Cidr[]): Pair[] {
  // What it has been given, and what its own MAC makes, cannot be withheld.
  const own = [...port.fixedIps, linkLocalOf(port.mac)];
  const isOwn = (ip: Cidr): boolean => own.some((given) => sameIp(given, ip));
  const isWithheld = (ip: Cidr): boolean => isUnusable(ip) || withheld.some((other) => sameIp(other, ip));
  const named = held.filter(({ ip }) => isHost(ip) && (isOwn(ip) || !isWithheld(ip)));
  const covered = prefixPairs(port).flatMap(({ mac, ip: prefix }) =>
    named.filter(({ ip }) => contains(prefix, ip)).map(({ ip }) => ({ mac, ip })),
  );
  return distinct([...named, ...covered]);
}

const prefixPairs = (port: Port): Pair[] => distinct(port.pairs.filter(({ ip }) => !isHost(ip)));

export function localPort(
  port: Port,
  linkLocals: Iterable<LinkLocal>,
  withheld: readonly Cidr[],
  place: Pick<
    LocalPort,
    'up' | 'ofport' | 'key' | 'networkKey' | 'zone' | 'role' | 'set' | 'groups' | 'moving'
  >,
): LocalPort {
  const macs = macsOf(port);
  const held = distinct([
    ...pairsOf(port),
    ...macs.map((mac) => ({ mac, ip: linkLocalOf(mac) })),
    ...[...linkLocals].map(({ mac, address }) => ({ mac, ip: address })),
  ]);
  const of = (family: Family): Pair[] => held.filter(({ ip }) => ip.family === family);
  return {
    port,
    ...place,
    macs,
    pairs4: of(4),
    pairs6: of(6),
    named: namedPairs(port, held, withheld),
    prefixes: prefixPairs(port),
  };
}
