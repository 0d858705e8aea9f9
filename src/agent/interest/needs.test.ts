import { expect, test } from 'vitest';
import {
  networkRecord,
  portRecord,
  putNetwork,
  putPort,
  putRule,
  ruleRecord,
} from '../../../test/lib/records.ts';
import { keys } from '../../model/keys.ts';
import { scopeDepth } from '../../model/scopes.ts';
import type {
  AddressGroupId,
  GroupId,
  NetworkId,
  PortId,
  QosPolicyId,
  RouterId,
} from '../../policy/world.ts';
import type { Write } from '../../store/contract.ts';
import { Places } from '../../store/etcd/scopes.ts';
import { commonPrefixes, type Known, prefixesAfter, prefixesFor } from './needs.ts';

const nothing: Known = {
  port: () => undefined,
  formerHost: () => undefined,
  markedNetwork: () => undefined,
  network: () => undefined,
  addressGroupsOf: () => [],
  routersOf: () => [],
  router: () => undefined,
};
const port = 'p' as PortId;
const ofNetwork = (id: string): string[] => [
  `networks/${id}`,
  `subnets/${id}/`,
  `ports/${id}/`,
  `bindings/${id}/`,
  `link-locals/${id}/`,
  `owners/${id}/`,
];
const known: Known = {
  port: (id) =>
    id === port
      ? {
          network: 'n' as NetworkId,
          groups: ['g', 'h'] as GroupId[],
          qosPolicy: 'gold' as QosPolicyId,
          host: null,
        }
      : undefined,
  formerHost: () => undefined,
  markedNetwork: () => 'n' as NetworkId,
  network: () => ({ qosPolicy: 'slow' as QosPolicyId }),
  addressGroupsOf: (group) => (group === 'g' ? ['list' as AddressGroupId] : []),
  routersOf: () => [],
  router: () => undefined,
};
const sorted = (prefixes: Iterable<string>): string[] => [...prefixes].sort();

test('of a port that nothing is known of, the mark of its network', () => {
  expect(sorted(prefixesFor([port], [], nothing))).toEqual(['port-networks/p']);
});

test('of a port with a mark, its network; the mark until the port is known', () => {
  const marked: Known = { ...nothing, markedNetwork: () => 'n' as NetworkId };
  expect(sorted(prefixesFor([port], [], marked))).toEqual(sorted(['port-networks/p', ...ofNetwork('n')]));
});

test('of a port on a router, the router and the networks that it joins, but none behind those', () => {
  const at: Record<string, string> = { p: 'n', 'r-n': 'n', 'r-m': 'm', 's-m': 'm', 's-o': 'o' };
  const ports: Record<string, string[]> = { r: ['r-n', 'r-m', 'r-x'], s: ['s-m', 's-o'] };
  const routed: Known = {
    ...nothing,
    port: (id) =>
      at[id] === undefined
        ? undefined
        : { network: at[id] as NetworkId, groups: [], qosPolicy: null, host: null },
    routersOf: (network) => ({ n: ['r'], m: ['r', 's'] })[network as string] as RouterId[],
    router: (id) => ({ ports: (ports[id] ?? []) as PortId[] }),
  };
  expect(sorted(prefixesFor([port], [], routed))).toEqual(
    sorted(['routers/r', 'port-networks/r-x', ...ofNetwork('n'), ...ofNetwork('m')]),
  );
  // A network without a port here is followed by itself.
  expect(sorted(prefixesFor([], ['n' as NetworkId], routed))).toEqual(sorted(ofNetwork('n')));
});

test('of a port that is known, its network, groups with rules, their address groups, and both QoS policies', () => {
  expect(sorted(prefixesFor([port], [], known))).toEqual(
    sorted([
      ...ofNetwork('n'),
      'groups/g',
      'rules/g/',
      'address-groups/list',
      'groups/h',
      'rules/h/',
      'qos/gold',
      'qos/slow',
    ]),
  );
});

test('of a network without ports, what belongs to it', () => {
  const network = 'm' as NetworkId;
  expect(sorted(prefixesFor([], [network], nothing))).toEqual(sorted(ofNetwork('m')));
});

test('a store of many hosts can deliver each of them by itself', () => {
  const places = new Places('/', scopeDepth);
  const needed = [...prefixesFor([port, 'q' as PortId], [], known), ...prefixesFor([port], [], nothing)];
  const reports = [keys.ask.prefix, keys.host('h'), keys.life('h')];
  for (const prefix of [...needed, ...commonPrefixes, ...reports])
    expect(places.scopeOf(prefix)).not.toBe('');
});

const installed = {
  any: () => true,
  port: (id: PortId) => id === port,
  network: (id: NetworkId) => id === 'n',
  group: (id: GroupId) => id === 'g',
};
const after = (write: Write): string[] => {
  if (write.op === 'delete')
    return sorted(prefixesAfter({ type: 'delete', key: write.key }, installed, known));
  const { key, value } = write;
  const entry = { key, value, modRevision: 1, createRevision: 1 };
  return sorted(prefixesAfter({ type: 'put', entry }, installed, known));
};
const mac = '02:00:00:00:00:01';
const policy = { qos_policy_id: 'gold' };

test('a change makes an installed port need its new groups and policy; others need nothing by it', () => {
  const changes = { groups: ['g'], changes: policy };
  expect(after(putPort({ id: 'p', network: 'n', mac, ...changes }))).toEqual(
    sorted(['groups/g', 'rules/g/', 'address-groups/list', 'qos/gold']),
  );
  expect(after(putPort({ id: 'q', network: 'n', mac, ...changes }))).toEqual([]);
});

test('a rule of an installed group makes its address group needed, a network its policy', () => {
  const named = { remote_address_group_id: 'list' };
  expect(after(putRule(ruleRecord('r', 'g', 'ingress', named)))).toEqual(['address-groups/list']);
  expect(after(putRule(ruleRecord('r', 'other', 'ingress', named)))).toEqual([]);
  expect(after(putNetwork(networkRecord('n', policy)))).toEqual(['qos/gold']);
  expect(after(putNetwork(networkRecord('m', policy)))).toEqual([]);
});

test('deletions and records that cannot be read make nothing needed', () => {
  expect(after({ op: 'delete', key: 'ports/n/p' })).toEqual([]);
  expect(after({ op: 'put', key: 'ports/n/p', value: '{' })).toEqual([]);
  const record = JSON.stringify({ ...portRecord({ id: 'p', mac }), mac_address: 'none' });
  expect(after({ op: 'put', key: 'ports/n/p', value: record })).toEqual([]);
});

test('of a port that moves, what its former host says of its connections', () => {
  const moving: Known = {
    ...nothing,
    port: () => ({
      network: 'n' as NetworkId,
      groups: [],
      qosPolicy: null,
      host: 'here',
      arrival: { host: 'there', number: 1 },
    }),
  };
  expect(sorted(prefixesFor([port], [], moving))).toEqual(sorted([...ofNetwork('n'), 'leaving/here/n/p']));
  const moved: Known = {
    ...nothing,
    port: () => ({ network: 'n' as NetworkId, groups: [], qosPolicy: null, host: 'there' }),
    formerHost: () => 'here',
  };
  expect(sorted(prefixesFor([port], [], moved))).toContain('leaving/here/n/p');
});
