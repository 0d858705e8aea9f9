/**
 * What one change costs: exactly the derivations that depend on it, whatever the size of the group and the number of
 * rules, and exactly the flows that say it.
 */
import { describe, expect, test } from 'vitest';
import { setKeys, zone } from '../../test/lib/keys.ts';
import { networkFrom } from '../../test/proofs/worlds.ts';
import { cidr } from '../net/cidr.ts';
import { macFromBits } from '../net/mac.ts';
import { canonicalBody } from '../openflow/index.ts';
import type {
  AddressGroupId,
  Direction,
  GroupId,
  NetworkId,
  Port,
  PortId,
  Remote,
  RuleId,
} from '../policy/world.ts';
import { Pipeline } from './flow-derivation.ts';

const network = 'n' as NetworkId;
const [local, far, addresses] = ['local' as GroupId, 'far' as GroupId, 'addresses' as AddressGroupId];

interface Size {
  readonly members: number;
  readonly rules: number;
}

/** Four apart, so that nobody is a neighbour of anybody. */
const far4 = (at: number) => cidr(4, 0x0a100000n + BigInt(at * 4));
const far6 = (at: number) => cidr(6, (0x20010db8n << 96n) + BigInt(at * 4));

function portOf(id: string, at: number, groups: readonly GroupId[], here: boolean): Port {
  return {
    id: id as PortId,
    network,
    adminUp: true,
    mac: macFromBits(0x020000000000n + BigInt(at)),
    fixedIps: [far4(at), far6(at)],
    pairs: [],
    mode: 'strict',
    dhcpServer: false,
    cloudOwned: false,
    role: { kind: 'promiscuous' },
    groups,
    qosPolicy: null,
    host: here ? 'here' : 'elsewhere',
  };
}

const memberOf = (at: number): Port => portOf(`far-${at}`, 1000 + at, [far], false);

function rule(at: number, direction: Direction, family: 4 | 6, remote: Remote) {
  const id = `rule-${at}-${direction}-${family}-${remote.kind}` as RuleId;
  const l4 = { kind: 'ports', protocol: 6, min: 1000 + at, max: 1000 + at } as const;
  return { id, group: local, direction, family, l4, remote };
}

/** 20 local ports whose rules name a group of far members and an address group, ingress in both families. */
function installed({ members, rules }: Size): Pipeline {
  const pipeline = new Pipeline({ abilities: { answersNd: true, meterSpread: 1 } });
  const { facts } = pipeline;
  facts.networks.set(network, networkFrom({ id: network }));
  facts.zones.set(network, zone(1));
  facts.groups.set(local, { id: local, stateful: true });
  facts.groups.set(far, { id: far, stateful: true });
  facts.addressGroups.set(addresses, { id: addresses, addresses: [cidr(4, 0x0b000000n)] });
  for (let at = 0; at < 20; at++) {
    const port = portOf(`here-${at}`, at, [local], true);
    facts.ports.set(port.id, port);
    facts.ofports.set(port.id, at + 1);
    setKeys(facts, [network], [port]);
  }
  for (let at = 0; at < rules; at++)
    for (const family of [4, 6] as const)
      for (const remote of [
        { kind: 'group', group: far },
        { kind: 'addresses', group: addresses },
      ] as const) {
        const each = rule(at, 'ingress', family, remote);
        facts.rules.set(each.id, each);
      }
  for (let at = 0; at < members; at++) facts.ports.set(memberOf(at).id, memberOf(at));
  pipeline.run();
  pipeline.desired.takeChanged();
  return pipeline;
}

const textOf = ({ desired }: Pipeline, key: string): string | undefined => {
  const flow = desired.get(key);
  return flow === undefined ? undefined : `${flow.cookie} ${canonicalBody(flow)}`;
};

interface Cost {
  readonly derivations: Readonly<Record<string, number>>;
  readonly put: number;
  readonly removed: number;
}

/** What `change` made the pipeline do, the flows that are really different counted. */
function costOf(pipeline: Pipeline, change: (pipeline: Pipeline) => void): Cost {
  const { desired } = pipeline;
  const flows = new Map([...desired.keys()].map((key) => [key, textOf(pipeline, key)]));
  const before = new Map(pipeline.derivations);
  change(pipeline);
  pipeline.run();
  const derivations: Record<string, number> = {};
  for (const [name, count] of pipeline.derivations) {
    const more = count - (before.get(name) ?? 0);
    if (more > 0) derivations[name] = more;
  }
  const changed = [...desired.takeChanged().keys()].filter((key) => textOf(pipeline, key) !== flows.get(key));
  const removed = changed.filter((key) => desired.get(key) === undefined).length;
  return { derivations, put: changed.length - removed, removed };
}

const changes = {
  'a far member joins': ({ facts }: Pipeline) =>
    facts.ports.set('new' as PortId, portOf('new', 900, [far], false)),
  'a far member leaves': ({ facts }: Pipeline) => facts.ports.delete('far-7' as PortId),
  'a far member leaves the group': ({ facts }: Pipeline) =>
    facts.ports.set('far-7' as PortId, { ...memberOf(7), groups: [] }),
  'a far member changes its address': ({ facts }: Pipeline) =>
    facts.ports.set('far-7' as PortId, { ...memberOf(7), fixedIps: [far4(901), far6(901)] }),
  'an address group gets an entry': ({ facts }: Pipeline) =>
    facts.addressGroups.set(addresses, {
      id: addresses,
      addresses: [cidr(4, 0x0b000000n), cidr(4, 0x0b000010n)],
    }),
  'a rule comes': ({ facts }: Pipeline) => {
    const each = rule(999, 'ingress', 4, { kind: 'group', group: far });
    facts.rules.set(each.id, each);
  },
  'a local port joins': ({ facts }: Pipeline) => {
    const port = portOf('new', 900, [local], true);
    facts.ports.set(port.id, port);
    setKeys(facts, [], [port]);
    facts.ofports.set(port.id, 99);
  },
};

/** Each relation ran so often; relations that are not named did not run at all. */
const joined = {
  'link-local-names': 1,
  arrivals: 1,
  'cloud-ports-of': 1,
  'dhcp-servers': 1,
  'unguarded-of': 1,
  holders: 1,
  'prefixes-of': 2,
  'proxied-flows': 2,
  'egress-peer-members': 2,
  'ingress-peer-members': 2,
  'ingress-peer-buckets': 2,
  'ingress-peer-blocks': 2,
  'ingress-peer-class-users': 2,
  'ingress-peer-classes': 1,
  'answer-flows': 2,
  'next-hop-flows': 2,
  'answer-flows-installed': 2,
  'ingress-member-flows': 2,
  'ingress-member-flows-installed': 2,
  'reserved-by-port': 1,
  remotes: 1,
  'own-macs': 1,
  'pair-macs': 1,
  'outer-mac-holders': 1,
};

/** An address that goes and one that comes are two, in each family. */
const readdressed = Object.fromEntries(
  Object.entries(joined).map(([name, count]) => [name, count === 2 ? 4 : count]),
);

const entered = {
  'egress-address-entries': 1,
  'ingress-address-entries': 1,
  'ingress-address-lengths-of': 2,
  'ingress-address-lengths': 1,
  'ingress-address-prefixes': 2,
  'ingress-address-buckets': 1,
  'ingress-address-blocks': 1,
  'ingress-address-class-users': 1,
  'ingress-address-classes': 1,
  'ingress-address-flows': 1,
  'ingress-address-flows-installed': 1,
};

const ruled = {
  'active-rules': 1,
  'rules-of-group': 1,
  'rules-of-set': 1,
  'untracked-sets': 1,
  'counted-apart': 1,
  'rules-naming': 1,
  'is-named': 1,
  'rules-naming-addresses': 1,
  'rule-clauses': 1,
  'rule-clauses-installed': 1,
  'rule-verdicts': 1,
  'rule-verdicts-installed': 1,
  'set-flows': 1,
  'set-flows-installed': 1,
  'ingress-members-clauses': 1,
  'ingress-members-clauses-installed': 1,
  'rule-ids': 1,
};

/** While the group is counted by port, each of its ports has verdicts of its own. */
const ruledByPort = { ...ruled, 'port-verdicts': 20, 'port-verdicts-installed': 20 };

const plugged = {
  'link-local-names': 1,
  arrivals: 1,
  'cloud-ports-of': 1,
  'dhcp-servers': 1,
  'unguarded-of': 1,
  'dhcp4-served': 1,
  'dhcp6-served': 1,
  'solicitation-flows': 1,
  locals: 1,
  'locals-of': 1,
  'peers-of': 1,
  'locals-by-key': 1,
  'network-key-of': 1,
  'mac-holders': 1,
  holders: 1,
  'local-groups': 1,
  'group-is-local': 1,
  'set-ports': 1,
  sets: 1,
  'counted-apart': 1,
  'prefixes-of': 2,
  'proxied-flows': 2,
  'to-dhcp-server-flows': 1,
  'egress-peer-members': 2,
  'ingress-peer-members': 2,
  'qos-asked': 1,
  'port-flows': 1,
  'port-flows-installed': 1,
  'mac-flows': 1,
  'mac-flows-installed': 1,
  'flood-flows': 1,
  'flood-flows-installed': 1,
  'network-flows': 1,
  'network-flows-installed': 1,
  'answer-flows': 2,
  'next-hop-flows': 2,
  'answer-flows-installed': 2,
  'state-flows': 1,
  'state-flows-installed': 1,
  'port-verdicts': 1,
  'port-verdicts-installed': 1,
  'prefixed-locals': 1,
  'reserved-by-port': 1,
  remotes: 1,
  'own-macs': 1,
  'pair-macs': 1,
  'claim-flows': 1,
  'outer-mac-holders': 1,
  'own-mac-flows': 1,
};

const sizes: readonly Size[] = [
  { members: 100, rules: 5 },
  { members: 5000, rules: 5 },
  { members: 100, rules: 50 },
];

describe.each(sizes)('with $members members and $rules rules of each kind', (size) => {
  // Of the flows, two are the class of an address, the others the answer to who has it: one for IPv4, two for IPv6.
  test.each([
    ['a far member joins', joined, 5, 0],
    ['a far member leaves', joined, 0, 5],
    ['a far member leaves the group', joined, 0, 2],
    ['a far member changes its address', readdressed, 5, 5],
    ['an address group gets an entry', entered, 1, 0],
  ] as const)('%s: what depends on it, and nothing else', (name, derivations, put, removed) => {
    expect(costOf(installed(size), changes[name])).toEqual({ derivations, put, removed });
  });

  test.each([
    ['a rule comes', size.rules < 50 ? ruledByPort : ruled],
    ['a local port joins', plugged],
  ] as const)('%s: as many derivations whatever the size', (name, derivations) => {
    expect(costOf(installed(size), changes[name]).derivations).toEqual(derivations);
  });
});

test('a rule is four flows for the group, one for a block of ports that it splits first, and two for each port that it is counted at', () => {
  const counted = costOf(installed({ members: 100, rules: 5 }), changes['a rule comes']);
  expect([counted.put, counted.removed]).toEqual([4 + 1 + 2 * 20, 0]);
  const together = costOf(installed({ members: 100, rules: 50 }), changes['a rule comes']);
  expect([together.put, together.removed]).toEqual([4 + 2, 0]);
});

test('a port that joins costs its own flows whatever the number of members and, counted together, of rules', () => {
  const [some, many] = [100, 5000].map((members) =>
    costOf(installed({ members, rules: 50 }), changes['a local port joins']),
  );
  expect(some).toEqual(many);
  const more = costOf(installed({ members: 100, rules: 60 }), changes['a local port joins']);
  expect(more).toEqual(some);
});

test('beside a port with wide pairs, another port costs three flows for each address that it has by name', () => {
  const wide = (pipeline: Pipeline) => {
    const { facts } = pipeline;
    const port = portOf('here-0', 0, [local], true);
    const pairs = [cidr(4, 0n, 0), cidr(6, 0n, 0)].map((ip) => ({ mac: port.mac, ip }));
    facts.ports.set(port.id, { ...port, pairs });
    pipeline.run();
    pipeline.desired.takeChanged();
    return pipeline;
  };
  const [some, many] = [100, 5000].map((members) =>
    costOf(wide(installed({ members, rules: 5 })), changes['a far member joins']),
  );
  const reserved = {
    'reserved-by-port-flows': 1,
    'reserved-by-port-flows-installed': 1,
  };
  // Its two fixed addresses and the link-local one that its MAC makes.
  expect(some).toEqual({ derivations: { ...joined, ...reserved }, put: 5 + 3 * 3, removed: 0 });
  expect(many).toEqual(some);
});
