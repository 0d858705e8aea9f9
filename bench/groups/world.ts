/**
 * The worlds of the security-group figures, as plain descriptions for both sides. Ports of a group `servers`
 * are plugged here. Their rules name a group `clients` of ports bound elsewhere. Values only.
 */

/** The layout of the members' addresses: all apart from each other, or consecutive. */
export type Layout = 'sparse' | 'dense';

export interface GroupPort {
  readonly id: string;
  readonly mac: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

/** Lets TCP to one port in from the group `clients`. */
export interface GroupRule {
  readonly id: string;
  readonly family: 4 | 6;
  readonly port: number;
}

export interface GroupWorld {
  readonly locals: readonly GroupPort[];
  readonly members: readonly GroupPort[];
  readonly rules: readonly GroupRule[];
  /** Rules name an address group instead of a security group. */
  readonly remote: 'group' | 'addresses';
}

export interface GroupWorldShape {
  readonly layout: Layout;
  readonly locals: number;
  readonly members: number;
  readonly rules: number;
  readonly remote?: GroupWorld['remote'];
  /** IPv4 only: `both` puts every other rule on IPv6. */
  readonly families?: 'ipv4' | 'both';
}

export const networkCidr = { 4: '10.0.0.0/8', 6: 'fd00::/64' } as const;

const identity = (kind: number, n: number): string =>
  `${kind.toString(16).padStart(8, '0')}-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

const spread = 1 << 22;

/**
 * The member's place in the subnet. An odd factor scatters the places without a collision. Even places have
 * no neighbour.
 */
const place = (layout: Layout, n: number): number =>
  layout === 'dense' ? (1 << 23) + n : (Math.imul(n + 1, 2_654_435_761) & (spread - 1)) * 2;

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

function portAt(kind: number, n: number, at: number): GroupPort {
  return {
    id: identity(kind, n),
    mac: `02:${hex(kind, 2)}:${hex((n >> 16) & 0xff, 2)}:${hex((n >> 8) & 0xff, 2)}:${hex(n & 0xff, 2)}:01`,
    ipv4: `10.${(at >> 16) & 0xff}.${(at >> 8) & 0xff}.${at & 0xff}`,
    ipv6: `fd00::${hex(at >>> 16, 1)}:${hex(at & 0xffff, 1)}`,
  };
}

/** Beyond all members' places, in either layout. */
const firstLocal = (1 << 23) + (1 << 20);

export function groupWorld(shape: GroupWorldShape): GroupWorld {
  const { layout, locals, members, rules, remote = 'group', families = 'both' } = shape;
  return {
    remote,
    locals: Array.from({ length: locals }, (_, n) => portAt(1, n, firstLocal + n)),
    members: Array.from({ length: members }, (_, n) => portAt(2, n, place(layout, n))),
    rules: Array.from({ length: rules }, (_, n) => ({
      id: identity(3, n),
      family: families === 'both' && n % 2 === 1 ? 6 : 4,
      port: 1000 + n,
    })),
  };
}
