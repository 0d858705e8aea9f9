/** Which changes mark networks, and which networks; what only allows more marks none. */
import { beforeEach, describe, expect, test } from 'vitest';
import { ip, net } from '../../../test/lib/frames.ts';
import { setKeys, zone } from '../../../test/lib/keys.ts';
import { type PortText, portFrom, type RuleText, worldFrom } from '../../../test/proofs/worlds.ts';
import type {
  AddressGroupId,
  GroupId,
  NetworkId,
  Port,
  PortId,
  RuleId,
  SubnetId,
} from '../../policy/world.ts';
import { Pipeline } from '../flow-derivation.ts';
import type { ChangedFlow } from './losses.ts';

const n1 = 'n1' as NetworkId;
const n2 = 'n2' as NetworkId;
const texts: Readonly<Record<string, PortText>> = {
  here: {
    id: 'here',
    mac: '02:00:00:00:00:01',
    ips: ['10.0.0.1'],
    groups: ['web'],
    pairs: [['10.0.0.64/26']],
  },
  wide: { id: 'wide', mac: '02:00:00:00:00:02', groups: ['club'], pairs: [['10.0.0.128/25']], host: 'there' },
  far: { id: 'far', mac: '02:00:00:00:00:03', ips: ['10.0.0.3'], groups: ['club'], host: 'there' },
  next: { id: 'next', network: 'n2', mac: '02:00:00:00:00:04', ips: ['10.0.0.4'], groups: ['dns'] },
};
const rules: readonly RuleText[] = [
  { group: 'web', direction: 'ingress', remote: '@club' },
  { group: 'web', direction: 'ingress', remote: '#few' },
  { group: 'dns', direction: 'ingress' },
  { group: 'nobody', direction: 'ingress', remote: '@dns' },
];
const named = (name: keyof typeof texts, changes: Partial<PortText> = {}): Port =>
  portFrom({ ...(texts[name] as PortText), ...changes });

let pipeline: Pipeline;
beforeEach(() => {
  pipeline = new Pipeline({ host: 'here', abilities: { answersNd: true, meterSpread: 1 } });
  const { facts } = pipeline;
  const world = worldFrom({
    ports: Object.values(texts),
    rules,
    addressGroups: { few: ['192.0.2.0/24', '198.51.100.1'], idle: ['192.0.2.0/24'] },
    gateways: ['10.0.0.254'],
  });
  for (const [id, network] of world.networks) facts.networks.set(id, network);
  for (const [id, subnet] of world.subnets) facts.subnets.set(id, subnet);
  for (const [id, port] of world.ports) facts.ports.set(id, port);
  setKeys(facts, world.networks.keys(), world.ports.values());
  for (const [id, rule] of world.rules) facts.rules.set(id, rule);
  for (const [id, group] of world.addressGroups) facts.addressGroups.set(id, group);
  for (const [at, id] of [n1, n2].entries()) facts.zones.set(id, zone(at + 1));
  for (const [at, id] of ['here', 'next'].entries()) facts.ofports.set(id as PortId, at + 1);
  pipeline.run();
  pipeline.desired.takeChanged();
});

/** What a round would send to the switch. */
const changesOf = (desired: Pipeline['desired']): ChangedFlow[] =>
  [...desired.takeChanged()].map(([key, before]) => ({ key, before, after: desired.get(key) ?? null }));

/** The networks that a change makes suspect. */
function suspects(change: (facts: Pipeline['facts']) => void): string[] {
  pipeline.tightening.take();
  change(pipeline.facts);
  pipeline.run();
  pipeline.tightening.note(changesOf(pipeline.desired));
  return [...pipeline.tightening.take()].sort();
}
const put = (port: Port) => suspects(({ ports }) => ports.set(port.id, port));
const rule = (at: number, changes: object = {}) =>
  suspects(({ rules: input }) => {
    const old = input.get(`r${at}` as RuleId);
    if (old !== undefined) input.set(old.id, { ...old, ...changes });
  });
const few = (group: string, ...addresses: string[]) =>
  suspects(({ addressGroups }) =>
    addressGroups.set(group as AddressGroupId, {
      id: group as AddressGroupId,
      addresses: addresses.map(net),
    }),
  );

test('the first run raises none, an unknown switch all', () => {
  expect([...pipeline.tightening.take()]).toEqual([]);
  pipeline.tightening.markAll();
  expect([...pipeline.tightening.take()].sort()).toEqual([n1, n2]);
  expect([...pipeline.tightening.take()]).toEqual([]);
  pipeline.tightening.mark([n2, 'gone' as NetworkId]);
  expect([...pipeline.tightening.take()]).toEqual([n2]);
});

describe('suspect is', () => {
  test('where a port of this host is held to less', () => {
    expect(put(named('here', { groups: [] }))).toEqual([n1]);
    // No rule of the group is lost.
    expect(put(named('next', { groups: ['dns', 'other'] }))).toEqual([]);
    expect(put(named('next'))).toEqual([]);
    expect(put(named('next', { adminUp: false }))).toEqual([n2]);
    expect(put(named('next'))).toEqual([]);
    // Who is guarded otherwise is compared no further.
    expect(put(named('next', { mode: 'mac-only' }))).toEqual([n2]);
    expect(put(named('next'))).toEqual([n2]);
    expect(put(named('next', { ips: [] }))).toEqual([n2]);
    expect(put(named('here', { pairs: [] }))).toEqual([n1]);
    expect(put(named('here', { pairs: [], dhcpServer: true }))).toEqual([]);
    expect(put(named('here', { pairs: [] }))).toEqual([n1]);
  });

  test('a network that goes down, with nobody in it too', () => {
    const admin = (id: NetworkId, adminUp: boolean) =>
      suspects(({ networks }) => {
        const old = networks.get(id);
        if (old !== undefined) networks.set(id, { ...old, adminUp });
      });
    expect(admin(n2, false)).toEqual([n2]);
    expect(admin(n2, true)).toEqual([]);
    expect(suspects(({ ofports }) => ofports.delete('next' as PortId))).toEqual([n2]);
    expect(admin(n2, false)).toEqual([]);
    expect(admin(n2, true)).toEqual([]);
    pipeline.tightening.isAway('next' as PortId, n2);
    expect(admin(n2, false)).toEqual([n2]);
  });

  test('where a port of this host goes, and comes back', () => {
    const here = 'here' as PortId;
    expect(suspects(({ ofports }) => ofports.delete(here))).toEqual([n1]);
    pipeline.tightening.isAway(here, n1);
    expect(suspects(({ ofports }) => ofports.set(here, 9))).toEqual([n1]);
    expect(suspects(({ ofports }) => ofports.delete(here))).toEqual([n1]);
    expect(suspects(({ ofports }) => ofports.set(here, 9))).toEqual([]);
    expect(suspects(({ ofports }) => ofports.set(here, 8))).toEqual([n1]);
    expect(suspects(({ ports }) => ports.delete(here))).toEqual([n1]);
    expect(put(named('here'))).toEqual([]);
    expect(suspects(({ ofports }) => ofports.delete(here))).toEqual([n1]);
    pipeline.tightening.isAway(here, n1);
    expect(suspects(({ ports }) => ports.delete(here))).toEqual([n1]);
  });

  test('where a rule goes or changes that somebody here has', () => {
    expect(rule(0, { direction: 'egress' })).toEqual([n1]);
    expect(rule(2, { family: 6 })).toEqual([n2]);
    expect(suspects(({ rules: input }) => input.delete('r1' as RuleId))).toEqual([n1]);
    expect(suspects(({ rules: input }) => input.delete('r3' as RuleId))).toEqual([]);
  });

  test('where a member leaves a group that a rule here names', () => {
    expect(put(named('far', { groups: ['club', 'other'] }))).toEqual([]);
    expect(put(named('far', { groups: ['club'] }))).toEqual([]);
    expect(put(named('far', { groups: ['club'], ips: ['10.0.0.9'] }))).toEqual([n1]);
    expect(put(named('far', { groups: [] }))).toEqual([n1]);
    expect(suspects(({ ports }) => ports.delete('far' as PortId))).toEqual([]);
    expect(suspects(({ ports }) => ports.delete('wide' as PortId))).toEqual([n1]);
  });

  test("where another port takes an address out of a member's prefix", () => {
    const taker = (address: string, groups: readonly string[] = []) =>
      named('far', { id: `taker-${address}`, ips: [address], groups });
    expect(put(taker('10.0.0.200', ['club']))).toEqual([]);
    expect(put(taker('10.0.0.20'))).toEqual([]);
    expect(put(taker('10.0.0.201'))).toEqual([n1]);
  });

  test('where an address that a prefix of a port here gave becomes somebody’s', () => {
    const comer = (changes: Partial<PortText>) =>
      named('far', { id: 'comer', ips: [], groups: [], ...changes });
    expect(put(comer({ ips: ['10.0.0.30'] }))).toEqual([]);
    expect(put(comer({ ips: ['10.0.0.70'] }))).toEqual([n1]);
    expect(put(comer({ ips: ['10.0.0.70'], pairs: [['10.0.0.64/28'], ['10.0.0.71']] }))).toEqual([n1]);
    expect(put(comer({ ips: ['10.0.0.70'] }))).toEqual([]);
  });

  test('where an address that a guest was given becomes somebody’s', () => {
    const address = ip('fe80::77');
    const item = { network: n1, address, port: 'here' as PortId, mac: named('here').mac };
    expect(suspects(({ linkLocals }) => linkLocals.set('n1|fe80::77', item))).toEqual([]);
    expect(put(named('far', { groups: [], pairs: [['fe80::77']] }))).toEqual([n1]);
    expect(put(named('far', { groups: [] }))).toEqual([]);
  });

  test('where an address group is narrowed that a rule here names', () => {
    expect(few('few', '192.0.2.0/24', '198.51.100.1', '203.0.113.0/24')).toEqual([]);
    expect(few('few', '192.0.2.0/24')).toEqual([n1]);
    expect(few('idle')).toEqual([]);
  });

  test('where ports of a group lose what a connection needs, not where rules judge each packet by itself', () => {
    const stateful = (id: string, value: boolean) =>
      suspects(({ groups }) => groups.set(id as GroupId, { id: id as GroupId, stateful: value }));
    expect(stateful('dns', false)).toEqual([]);
    expect(rule(2, { l4: { kind: 'protocol', protocol: 17 } })).toEqual([n2]);
    expect(stateful('dns', true)).toEqual([]);
  });

  test('every network, where flows are not known', () => {
    pipeline.tightening.markAll();
    pipeline.facts.ports.set('here' as PortId, named('here', { groups: [] }));
    pipeline.run();
    pipeline.tightening.note(changesOf(pipeline.desired));
    expect([...pipeline.tightening.take()].sort()).toEqual([n1, n2]);
    expect(put(named('here'))).toEqual([]);
    expect(put(named('here', { groups: [] }))).toEqual([n1]);
  });

  test('where a subnet goes, or withholds an address', () => {
    const subnet = { id: 's0' as SubnetId, network: n1, cidr: net('10.0.0.0/24') };
    expect(
      suspects(({ subnets }) =>
        subnets.set(subnet.id, {
          ...subnet,
          gateway: null,
          gatewayMac: null,
          dhcp: false,
          advertised: false,
        }),
      ),
    ).toEqual([]);
    expect(
      suspects(({ subnets }) =>
        subnets.set(subnet.id, {
          ...subnet,
          gateway: ip('10.0.0.65'),
          gatewayMac: null,
          dhcp: false,
          advertised: false,
        }),
      ),
    ).toEqual([n1]);
    expect(suspects(({ subnets }) => subnets.delete(subnet.id))).toEqual([n1]);
  });
});

test('growth is not suspect', () => {
  expect(put(named('far', { id: 'new', ips: ['10.0.0.30'] }))).toEqual([]);
  expect(put(named('here', { groups: ['web', 'club'], ips: ['10.0.0.1', '10.0.0.31'] }))).toEqual([]);
  expect(put(named('far', { id: 'wider', groups: [], pairs: [['10.0.0.0/24']] }))).toEqual([]);
  expect(
    suspects(({ rules: input }) => {
      for (const old of [...input.entries()].map(([, each]) => each))
        input.set(`${old.id}-twin` as RuleId, { ...old, id: `${old.id}-twin` as RuleId });
    }),
  ).toEqual([]);
  expect(suspects(({ zones }) => zones.set('n3' as NetworkId, zone(7)))).toEqual([]);
  expect(rule(0)).toEqual([]);
});

describe.each(['geneve', 'vxlan'] as const)('of ports behind a %s tunnel', (type) => {
  const vtep = (address: string) => ({ address: ip(address), types: [type] });
  const endpoint = (name: string, address: string | null) =>
    suspects(({ vteps }) => (address === null ? vteps.delete(name) : vteps.set(name, vtep(address))));
  beforeEach(() => {
    pipeline.facts.tunnels.set(type, 900);
    endpoint('here', '192.0.2.1');
  });

  test('what comes raises none', () => {
    // Group packets of ports here get a flow of their own.
    expect(endpoint('there', '192.0.2.2')).toEqual([n1]);
    expect(endpoint('third', '192.0.2.3')).toEqual([]);
    expect(put(portFrom({ id: 'new', mac: '02:00:00:00:00:05', host: 'third' }))).toEqual([]);
  });

  test('what goes raises its network alone', () => {
    endpoint('there', '192.0.2.2');
    endpoint('third', '192.0.2.3');
    expect(put(named('wide', { adminUp: false }))).toEqual([n1]);
    expect(put(named('wide'))).toEqual([]);
    expect(put(named('wide', { host: 'third' }))).toEqual([n1]);
    expect(suspects(({ ports }) => ports.delete('wide' as PortId))).toEqual([n1]);
    expect(suspects(({ ports }) => ports.delete('far' as PortId))).toEqual([n1]);
  });

  test('a host that goes, or has another endpoint, raises the networks of its ports', () => {
    endpoint('there', '192.0.2.2');
    expect(endpoint('there', '192.0.2.9')).toEqual([n1]);
    expect(endpoint('there', null)).toEqual([n1]);
  });
});
