/**
 * Generated worlds: one to three networks with the same addresses, ports of all modes, pairs of all kinds,
 * groups and rules of all kinds. The pools are small, so identities and addresses often coincide.
 */
import fc from 'fast-check';
import type { PortRole } from '../../src/model/records.ts';
import { type Cidr, cidr, formatCidr, linkLocalOf } from '../../src/net/cidr.ts';
import { type Mac, macFromBits } from '../../src/net/mac.ts';
import type {
  AddressGroup,
  AddressGroupId,
  Direction,
  Group,
  GroupId,
  L4Match,
  LinkLocal,
  Network,
  NetworkId,
  Owner,
  Pair,
  Port,
  PortId,
  Remote,
  Rule,
  RuleId,
  Subnet,
  SubnetId,
  World,
} from '../../src/policy/world.ts';
import { ip, mac, net } from '../lib/frames.ts';
import { farPortsArbitrary, mostInRow, row4, row6, rowPrefixes } from './arbitrary-rows.ts';
import { generous, host } from './worlds.ts';

export const subnets = [net('10.0.0.0/24'), net('2001:db8::/64')] as const;
export const sharedMac = mac('00:00:5e:00:01:07');
const sharedIps = [ip('10.0.0.77'), ip('2001:db8::77'), ip('192.0.2.7'), ip('fe80::aaaa')];
const prefixes = [
  net('172.16.0.0/16'),
  net('10.0.0.64/26'),
  net('10.0.0.0/24'),
  net('0.0.0.0/0'),
  net('2001:db8::/64'),
  net('2001:db8:0:0:8000::/65'),
  net('::/0'),
];
/** Optional ones of the network, in addition to its two fixed ones. */
const moreSubnets = [
  net('192.0.2.0/29'),
  net('198.51.100.6/31'),
  net('172.16.8.0/22'),
  net('2001:db8:1::/64'),
];
const groups = ['g0', 'g1', 'g2', 'g3'] as GroupId[];
const addressGroups = ['a0', 'a1', 'a2'] as AddressGroupId[];
/** Maximum number of local ports in a world, whatever its networks. */
export const mostPorts = 8;

export const fixed4 = (at: number): Cidr => cidr(4, ip('10.0.0.10').bits + BigInt(at));
export const fixed6 = (at: number): Cidr => cidr(6, ip('2001:db8::10').bits + BigInt(at));
const macOf = (at: number): Mac => macFromBits(0x020000000010n + BigInt(at));

/** Possible results of duplicate-address detection: free, a gateway's, a pair's, and addresses made of MACs. */
const linkLocalGateway = ip('fe80::1');
const learnable = [
  ip('fe80::77'),
  linkLocalGateway,
  ip('fe80::aaaa'),
  ip('fe80::a9fe:a9fe'),
  ...[macOf(1), macOf(2), macOf(7), sharedMac].map(linkLocalOf),
];

/** An address, and by number the port that detected it. */
type Learned = readonly [address: Cidr, port: number];
const learnedArbitrary: fc.Arbitrary<Learned[]> = fc.uniqueArray(
  fc.tuple(fc.constantFrom(...learnable), fc.nat(mostPorts - 1)),
  { maxLength: 4, selector: ([address]) => formatCidr(address) },
);

/** By number: a port, and one of its pairs. */
type Claim = readonly [port: number, pair: number];
const claimsArbitrary: fc.Arbitrary<Claim[]> = fc.array(fc.tuple(fc.nat(99), fc.nat(9)), { maxLength: 3 });

/** The owner of the address of one of a port's pairs, or of a prefix's first address. */
export function ownerBy(port: Port | undefined, pair: number, generation: number): Owner | null {
  const claimed = port?.pairs[pair % Math.max(port.pairs.length, 1)];
  if (port === undefined || claimed === undefined) return null;
  const { mac, ip: prefix } = claimed;
  const address = cidr(prefix.family, prefix.bits);
  return { network: port.network, address, port: port.id, mac, generation };
}

/** The later claim of an address holds. */
export const withOwner = (owners: readonly Owner[], next: Owner): Owner[] => [
  ...owners.filter(
    ({ network, address }) => network !== next.network || formatCidr(address) !== formatCidr(next.address),
  ),
  next,
];

const pairArbitrary = (own: Mac): fc.Arbitrary<Pair> =>
  fc.record({
    mac: fc.oneof(
      { weight: 3, arbitrary: fc.constant(own) },
      { weight: 2, arbitrary: fc.constant(sharedMac) },
      { weight: 1, arbitrary: fc.nat(mostPorts).map(macOf) },
    ),
    ip: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...sharedIps) },
      { weight: 3, arbitrary: fc.constantFrom(...prefixes) },
      { weight: 1, arbitrary: fc.constantFrom(...rowPrefixes) },
      { weight: 1, arbitrary: fc.nat(mostPorts).map(fixed4) },
      { weight: 1, arbitrary: fc.nat(mostPorts).map(fixed6) },
    ),
  });

const qosArbitrary = fc.constantFrom(null, null, null, generous.id);

/** MACs and fixed addresses follow from the port's place, so they repeat between networks and never within one. */
function portArbitrary(at: number, networks: readonly NetworkId[]): fc.Arbitrary<Port> {
  const own = macOf(at % 4);
  const place = Math.floor(at / 4);
  // Four places a network: with fewer networks than rows of places the MAC takes the row in.
  const rowMac = networks.length > place ? own : macOf(at);
  const network = networks[place % networks.length] ?? ('n0' as NetworkId);
  const address = networks.length > place ? at % 4 : at;
  return fc
    .record({
      adminUp: fc.oneof(
        { weight: 9, arbitrary: fc.constant(true) },
        { weight: 1, arbitrary: fc.constant(false) },
      ),
      fixedIps: fc.subarray([fixed4(address), fixed6(address)]),
      pairs: fc.array(pairArbitrary(rowMac), { maxLength: 3 }),
      mode: fc.constantFrom('strict', 'strict', 'strict', 'mac-only', 'off'),
      dhcpServer: fc.constantFrom(false, false, false, true),
      cloudOwned: fc.oneof(
        { weight: 11, arbitrary: fc.constant(false) },
        { weight: 1, arbitrary: fc.constant(true) },
      ),
      role: fc.constantFrom(...roles),
      qosPolicy: qosArbitrary,
      groups: fc.oneof(
        { weight: 4, arbitrary: fc.subarray(groups, { minLength: 1, maxLength: 3 }) },
        { weight: 1, arbitrary: fc.constant<GroupId[]>([]) },
      ),
      host: fc.constantFrom(host, host, host, host, host, host, 'elsewhere', null),
    })
    .map((fields) => ({
      ...fields,
      role: fields.cloudOwned ? ({ kind: 'promiscuous' } as const) : fields.role,
      id: `p${at}` as PortId,
      network,
      mac: rowMac,
      // The cloud's own ports are never guarded. Neutron lets no port have pairs or groups without port
      // security.
      ...(fields.cloudOwned || fields.mode === 'off'
        ? ({ mode: 'off', pairs: [], groups: [] } as const)
        : { mode: fields.mode, pairs: fields.pairs, groups: fields.groups }),
    }));
}

const portNumbers = [1, 22, 80, 443, 2000, 65535] as const;

function l4MatchArbitrary(family: 4 | 6): fc.Arbitrary<L4Match> {
  const icmp = family === 4 ? 1 : 58;
  const types = family === 4 ? [0, 3, 8] : [1, 128, 129];
  const range = fc.tuple(fc.constantFrom(...portNumbers), fc.constantFrom(...portNumbers));
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant<L4Match>({ kind: 'any' }) },
    {
      weight: 3,
      arbitrary: fc
        .constantFrom(6, 17, icmp, 112, 47, 132, 0)
        .map<L4Match>((protocol) => ({ kind: 'protocol', protocol })),
    },
    {
      weight: 6,
      arbitrary: fc.tuple(fc.constantFrom(6, 17, 132), range).map<L4Match>(([protocol, [x, y]]) => ({
        kind: 'ports',
        protocol,
        min: Math.min(x, y),
        max: Math.max(x, y),
      })),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom(...types), fc.constantFrom(null, 0, 1))
        .map<L4Match>(([type, code]) => ({ kind: 'icmp', protocol: icmp, type, code })),
    },
  );
}

function remoteArbitrary(family: 4 | 6): fc.Arbitrary<Remote> {
  const narrow =
    family === 4
      ? [
          net('10.0.0.10/31'),
          net('10.0.0.0/25'),
          net('172.16.0.0/12'),
          net('10.0.0.132/30'),
          net('0.0.0.0/0'),
        ]
      : [net('2001:db8::10/127'), net('2001:db8::84/126'), net('::/0')];
  const shared = family === 4 ? [fixed4(1), net('10.0.0.77')] : [fixed6(1), net('fe80::/10')];
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant<Remote>({ kind: 'any' }) },
    { weight: 4, arbitrary: fc.constantFrom(...groups).map<Remote>((group) => ({ kind: 'group', group })) },
    {
      weight: 3,
      arbitrary: fc.constantFrom(...addressGroups).map<Remote>((group) => ({ kind: 'addresses', group })),
    },
    {
      weight: 3,
      arbitrary: fc.constantFrom(...narrow, ...shared).map<Remote>((prefix) => ({ kind: 'prefix', prefix })),
    },
  );
}

const ruleArbitrary: fc.Arbitrary<Omit<Rule, 'id'>> = fc.constantFrom<(4 | 6)[]>(4, 6).chain((family) =>
  fc.record({
    group: fc.constantFrom(...groups),
    direction: fc.constantFrom('ingress' as const, 'egress' as const),
    family: fc.constant(family),
    l4: l4MatchArbitrary(family),
    remote: remoteArbitrary(family),
  }),
);

/** Nested prefixes of both families, down to single addresses of local ports and of rows. */
const nested = [
  net('10.0.0.0/8'),
  net('10.0.0.0/24'),
  net('10.0.0.0/28'),
  net('10.0.0.12/31'),
  net('10.0.0.13'),
  net('10.0.0.128/26'),
  net('10.0.0.132/30'),
  net('10.0.0.134'),
  net('2001:db8::/32'),
  net('2001:db8::/64'),
  net('2001:db8::/124'),
  net('2001:db8::10/126'),
  net('2001:db8::12'),
  net('2001:db8::80/122'),
  net('2001:db8::84/126'),
];

/** Nested prefixes, whole rows of ports, and single addresses. */
const addressesArbitrary: fc.Arbitrary<Cidr[]> = fc
  .tuple(
    fc.oneof(fc.subarray(prefixes, { maxLength: 3 }), fc.subarray(nested)),
    fc.subarray([...Array(mostPorts).keys()].flatMap((at) => [fixed4(at), fixed6(at)])),
    fc.subarray(sharedIps),
    fc.oneof(
      fc.constant([]),
      fc
        .tuple(fc.nat(mostInRow), fc.nat(mostInRow))
        .map(([from, to]) => Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at))
        .map((row) => row.flatMap((at) => [row4(at), row6(at)])),
    ),
  )
  .map((parts) => [...new Map(parts.flat().map((prefix) => [formatCidr(prefix), prefix])).values()]);

/** Neutron lets no port have groups of both kinds. */
function ofOneKind(port: Port, stateless: readonly GroupId[]): Port {
  const kept = port.groups.filter((group) => !stateless.includes(group));
  return kept.length === 0 ? port : { ...port, groups: kept };
}

const through = (group: GroupId, direction: Direction, family: 4 | 6): Omit<Rule, 'id'> => ({
  group,
  direction,
  family,
  l4: { kind: 'any' },
  remote: { kind: 'any' },
});

/** Egress is mostly open, as usual: otherwise few packets would reach a receiver's rules. */
const openEgress: readonly Omit<Rule, 'id'>[] = groups
  .slice(0, 3)
  .flatMap((group) => ([4, 6] as const).map((family) => through(group, 'egress', family)));

/** Groups that admit everything both ways, some in one family only. */
const openArbitrary: fc.Arbitrary<Omit<Rule, 'id'>[]> = fc
  .subarray(groups, { maxLength: 2 })
  .chain((chosen) =>
    fc
      .tuple(...chosen.map(() => fc.constantFrom<(4 | 6)[]>([4], [6], [4, 6])))
      .map((families) =>
        chosen.flatMap((group, at) =>
          (families[at] ?? []).flatMap((family) => [
            through(group, 'egress', family),
            through(group, 'ingress', family),
          ]),
        ),
      ),
  );

export const roles: readonly PortRole[] = [
  { kind: 'promiscuous' },
  { kind: 'isolated' },
  { kind: 'community', name: 'red' },
  { kind: 'community', name: 'blue' },
];

interface Surroundings {
  readonly network: Omit<Network, 'id'>;
  readonly subnets: readonly Cidr[];
  readonly gatewayMac: Mac | null;
  readonly dhcp: boolean;
  readonly advertised: boolean;
}

const surroundingsArbitrary: fc.Arbitrary<Surroundings> = fc.record({
  // Of nobody, or of a port too.
  gatewayMac: fc.constantFrom(
    null,
    null,
    macFromBits(0x02_00_00_00_99_99n),
    macFromBits(0x02_00_00_00_00_11n),
  ),
  network: fc.record({
    adminUp: fc.oneof(
      { weight: 11, arbitrary: fc.constant(true) },
      { weight: 1, arbitrary: fc.constant(false) },
    ),
    allowsReservedPairs: fc.constantFrom(false, false, true),
    broadcastsPairs: fc.constantFrom(false, false, false, true),
    isolated: fc.constantFrom(false, false, true),
    trustsPhysical: fc.boolean(),
    hairpin: fc.boolean(),
    qosPolicy: qosArbitrary,
  }),
  subnets: fc.oneof(fc.constant([]), fc.subarray(moreSubnets)).map((more) => [...subnets, ...more]),
  dhcp: fc.boolean(),
  advertised: fc.boolean(),
});

function gatewayOf(family: 4 | 6, claimed: number): Cidr | null {
  if (claimed % 3 === 0) return null;
  if (family === 4) return fixed4(claimed);
  return claimed % 3 === 1 ? linkLocalGateway : fixed6(claimed);
}

function assemble(
  networks: ReadonlyMap<NetworkId, Surroundings>,
  [here, far]: readonly [readonly Port[], readonly Port[]],
  rules: readonly Omit<Rule, 'id'>[],
  open: boolean,
  claimed: number,
  stateless: readonly GroupId[],
  addresses: readonly (readonly Cidr[])[],
  learned: readonly Learned[],
  claims: readonly Claim[],
): World {
  const nets: Subnet[] = [...networks].flatMap(([network, around]) =>
    around.subnets.map((prefix) => ({
      id: `${network}-${formatCidr(prefix).replace('/', '_')}` as SubnetId,
      network,
      cidr: prefix,
      // An address that pairs cover by prefix and by name, and that a port may have detected.
      gateway: gatewayOf(prefix.family, claimed),
      gatewayMac: around.gatewayMac,
      dhcp: around.dhcp,
      advertised: around.advertised && prefix.family === 6,
    })),
  );
  const all = open ? [...openEgress, ...rules] : rules;
  const linkLocals = learned.flatMap(([address, at]): LinkLocal[] => {
    const owner = here[at % Math.max(here.length, 1)];
    return owner === undefined ? [] : [{ network: owner.network, address, port: owner.id, mac: owner.mac }];
  });
  const able = [...here, ...far].filter(({ pairs }) => pairs.length > 0);
  const owners = claims.reduce<Owner[]>((held, [port, pair], at) => {
    const owner = ownerBy(able[port % Math.max(able.length, 1)], pair, at + 1);
    return owner === null ? held : withOwner(held, owner);
  }, []);
  return {
    networks: new Map([...networks].map(([id, { network }]) => [id, { id, ...network }])),
    subnets: new Map(nets.map((subnet) => [subnet.id, subnet])),
    ports: new Map([...here, ...far].map((port) => [port.id, ofOneKind(port, stateless)])),
    groups: new Map(groups.map((id): [GroupId, Group] => [id, { id, stateful: !stateless.includes(id) }])),
    addressGroups: new Map(
      addressGroups.map((id, at): [AddressGroupId, AddressGroup] => [
        id,
        { id, addresses: addresses[at] ?? [] },
      ]),
    ),
    rules: new Map(all.map((rule, at) => [`r${at}` as RuleId, { ...rule, id: `r${at}` as RuleId }])),
    linkLocals,
    owners,
    routers: new Map(),
    vteps: new Map(),
    bridged: new Map(),
  };
}

export const worldArbitrary: fc.Arbitrary<World> = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 3, max: mostPorts }))
  .chain(([networkCount, portCount]) => {
    const names = Array.from({ length: networkCount }, (_, at) => `n${at}` as NetworkId);
    const ports = Array.from({ length: portCount }, (_, at) => portArbitrary(at, names));
    const rules = fc.array(ruleArbitrary, { maxLength: 14 });
    return fc
      .tuple(
        fc.tuple(fc.tuple(...ports), farPortsArbitrary(groups, names)),
        fc.tuple(rules, fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, openArbitrary)),
        fc.constantFrom(true, true, true, false),
        fc.nat(mostPorts),
        fc.oneof(fc.constant<GroupId[]>([]), fc.subarray(groups)),
        fc.tuple(...addressGroups.map(() => addressesArbitrary)),
        fc.tuple(...names.map((name) => surroundingsArbitrary.map((around) => [name, around] as const))),
        learnedArbitrary,
        claimsArbitrary,
      )
      .map(([all, drawn, open, claimed, stateless, addresses, around, learned, claims]) =>
        assemble(new Map(around), all, drawn.flat(), open, claimed, stateless, addresses, learned, claims),
      );
  });
