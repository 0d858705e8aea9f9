/**
 * Rows of ports with consecutive addresses on another host. They are dense enough for blocks to form, with
 * gaps and other groups' members at which blocks split, and sometimes with a prefix pair. They send nothing.
 * Local ports without port security use their addresses.
 */
import fc from 'fast-check';
import { type Cidr, cidr } from '../../src/net/cidr.ts';
import { macFromBits } from '../../src/net/mac.ts';
import type { GroupId, NetworkId, Pair, Port, PortId } from '../../src/policy/world.ts';
import { ip, net } from '../lib/frames.ts';

/** Maximum size of a row: more than half a bucket, so that blocks of all sizes occur. */
export const mostInRow = 40;

export const row4 = (at: number): Cidr => cidr(4, ip('10.0.0.128').bits + BigInt(at));
export const row6 = (at: number): Cidr => cidr(6, ip('2001:db8::80').bits + BigInt(at));

/** Inside, around and across a row's blocks. */
export const rowPrefixes = [
  net('10.0.0.128/27'),
  net('10.0.0.136/30'),
  net('10.0.0.128/25'),
  net('10.0.0.144/31'),
  net('2001:db8::80/123'),
  net('2001:db8::88/126'),
  net('2001:db8::/120'),
];

interface Row {
  readonly count: number;
  readonly groups: readonly GroupId[];
  readonly families: readonly (4 | 6)[];
  /** The missing ports, and those outside the others' groups. */
  readonly holes: readonly number[];
  readonly strangers: readonly number[];
  readonly strangerGroups: readonly GroupId[];
  /** Prefixes that one of them may also use. */
  readonly prefixes: readonly Cidr[];
}

const rowArbitrary = (groups: readonly GroupId[]): fc.Arbitrary<Row> => {
  const places = fc.uniqueArray(fc.nat(mostInRow - 1), { maxLength: 4 });
  return fc.record({
    count: fc.integer({ min: 16, max: mostInRow }),
    groups: fc.subarray([...groups], { minLength: 1, maxLength: 2 }),
    families: fc.constantFrom([4], [6], [4, 6]),
    holes: places,
    strangers: places,
    strangerGroups: fc.subarray([...groups], { maxLength: 2 }),
    prefixes: fc.oneof(fc.constant([]), fc.subarray(rowPrefixes, { maxLength: 2 })),
  });
};

function portsOf(row: Row, network: NetworkId): Port[] {
  const places = Array.from({ length: row.count }, (_, at) => at).filter((at) => !row.holes.includes(at));
  return places.map((at, order): Port => {
    const mac = macFromBits(0x020000000100n + BigInt(at));
    const all = [row4(at), row6(at)];
    const pairs: Pair[] = order === 0 ? row.prefixes.map((prefix) => ({ mac, ip: prefix })) : [];
    return {
      id: `far-${at}` as PortId,
      network,
      adminUp: true,
      mac,
      fixedIps: all.filter(({ family }) => row.families.includes(family)),
      pairs,
      mode: 'strict',
      dhcpServer: false,
      cloudOwned: false,
      role: { kind: 'promiscuous' },
      qosPolicy: null,
      groups: row.strangers.includes(at) ? row.strangerGroups : row.groups,
      host: 'elsewhere',
    };
  });
}

/** No row, or one row in one of the networks. */
export function farPortsArbitrary(
  groups: readonly GroupId[],
  networks: readonly NetworkId[],
): fc.Arbitrary<Port[]> {
  const row = fc
    .tuple(rowArbitrary(groups), fc.constantFrom(...networks))
    .map(([drawn, network]) => portsOf(drawn, network));
  return fc.oneof(fc.constant<Port[]>([]), row);
}
