import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openUnderTest, type TestClient, type UnderTest } from '../../api/testing/api-under-test.ts';
import { violationsOf } from './check.ts';
import type { StoredEntry } from './snapshot.ts';

let under: UnderTest;
let client: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
});
afterEach(() => under.close());

const snapshot = async (): Promise<readonly StoredEntry[]> => (await under.store.snapshot([''])).entries;

/** One of everything, each with all that can hang on it. */
async function furnish(): Promise<void> {
  const policy = await client.make('qos/policies', { name: 'q', is_default: true });
  const limits = `qos/policies/${String(policy['id'])}/bandwidth_limit_rules`;
  await client.make(limits, { max_kbps: 100, direction: 'egress' });
  await client.make('networks', { 'router:external': true, is_default: true });
  const network = await client.make('networks', { name: 'n' });
  const subnet = { network_id: network['id'], ip_version: 4, cidr: '10.0.0.0/24' };
  await client.make('subnets', subnet);
  const slaac = { ipv6_ra_mode: 'slaac', ipv6_address_mode: 'slaac' };
  await client.make('subnets', { ...subnet, ip_version: 6, cidr: '2001:db8::/64', ...slaac });
  const scope = await client.make('address-scopes', { ip_version: 4 });
  const pool = { prefixes: ['10.5.0.0/16'], address_scope_id: scope['id'], min_prefixlen: 24 };
  const { id: pooled } = await client.make('subnetpools', { name: 'p', is_default: true, ...pool });
  const other = await client.make('networks', {});
  await client.make('subnets', { network_id: other['id'], ip_version: 4, subnetpool_id: pooled });
  await client.make('security-groups-default-statefulness', { project_id: 'a/b' });
  await client.make('security-groups-default-statefulness', { project_id: null });
  const addresses = await client.make('address-groups', { addresses: ['192.0.2.0/24'] });
  const named = await client.make('security-groups', { name: 'named', stateful: false });
  const group = await client.make('security-groups', { name: 'g', stateful: false });
  const rule = { security_group_id: group['id'], direction: 'ingress' };
  await client.make('security-group-rules', { ...rule, remote_group_id: named['id'] });
  await client.make('security-group-rules', { ...rule, remote_address_group_id: addresses['id'] });
  await client.make('ports', {
    network_id: network['id'],
    security_groups: [group['id'], named['id']],
    allowed_address_pairs: [{ ip_address: '10.0.0.77' }],
    qos_policy_id: policy['id'],
    tags: ['b', 'a'],
  });
  await client.make('rbac-policies', {
    object_type: 'network',
    object_id: network['id'],
    action: 'access_as_shared',
    target_tenant: 'friends',
  });
  await client.call('PUT', '/v2.0/quotas/a%2Fb', { quota: { port: 5 } });
}

const without = (entries: readonly StoredEntry[], key: string): readonly StoredEntry[] =>
  entries.filter((entry) => entry.key !== key);

/** Changes one record. */
const changed = (
  entries: readonly StoredEntry[],
  prefix: string,
  patch: Readonly<Record<string, unknown>>,
): readonly StoredEntry[] => {
  const at = entries.findIndex((entry) => entry.key.startsWith(prefix));
  expect(at, prefix).toBeGreaterThan(-1);
  return entries.map(({ key, value }, n) => ({
    key,
    value: n === at ? JSON.stringify({ ...JSON.parse(value), ...patch }) : value,
  }));
};

describe('a store', () => {
  it('of which one of everything was made is whole', async () => {
    await furnish();
    expect(violationsOf(await snapshot())).toEqual([]);
  });

  it('is broken when it has a key of no kind, or a record that is no object', () => {
    expect(violationsOf([{ key: 'new-things/1', value: '{}' }])).toHaveLength(1);
    expect(violationsOf([{ key: 'networks/1', value: 'x' }])).toHaveLength(1);
  });

  it('is broken when a mark is missing, stray or says something else', async () => {
    await furnish();
    const entries = await snapshot();
    const marks = entries.filter(({ key }) =>
      /^(taken|uses\/(groups|qos|address-groups|subnet-pools|address-scopes)|stateless|default-(groups|qos|external-network|subnet-pools))\b/.test(
        key,
      ),
    );
    expect(marks.length).toBeGreaterThan(10);
    for (const { key } of marks) {
      const told = violationsOf(without(entries, key));
      expect(told.map((one) => one.key)).toContain(key);
      const other = entries.map((entry) => (entry.key === key ? { key, value: 'other' } : entry));
      expect(violationsOf(other)).toEqual([{ key, problem: expect.stringContaining("it says 'other'") }]);
      const stray = { key: `${key.slice(0, -1)}!`, value: '' };
      expect(violationsOf([...entries, stray]).map((one) => one.key)).toContain(stray.key);
    }
  });

  it.each([
    'networks/',
    'subnets/',
    'groups/',
    'address-groups/',
    'qos/',
    'address-scopes/',
    'subnet-pools/',
    'planted/',
  ])('is broken without what others refer to under %s', async (prefix) => {
    await furnish();
    const entries = await snapshot();
    for (const { key } of entries.filter((entry) => entry.key.startsWith(prefix)))
      expect(violationsOf(without(entries, key)), key).not.toEqual([]);
  });

  it.each([
    ['ports/', { fixed_ips: [{ subnet_id: 'x', ip_address: '10.0.0.9' }] }, 'does not exist'],
    ['ports/', { network_id: 'elsewhere' }, 'it lies under network'],
    ['ports/', { mac_address: 'FA:16:3E:00:00:01' }, 'is not how a MAC is written'],
    ['ports/', { port_security_enabled: false }, 'without port security'],
    ['ports/', { key: 0 }, '0 is no port key'],
    ['ports/', { key: 5 }, 'it is missing: ports/'],
    ['networks/', { vni: 1 << 24 }, '16777216 is no VNI'],
    ['networks/', { vni: 5 }, 'it is missing: networks/'],
    ['ports/', { id: 'other' }, 'its id is other'],
    ['ports/', { revision_number: 0 }, 'revision 0 is none'],
    ['ports/', { tags: ['b', 'a'] }, 'not in order'],
    ['ports/', { name: 'x'.repeat(256) }, 'its name is too long'],
    ['ports/', { updated_at: '2000-01-01T00:00:00Z' }, 'changed before it was made'],
    [
      'ports/',
      { inactive_bindings: [{ host: 'h' }, { host: 'h' }] },
      'it has two inactive bindings at one host',
    ],
    ['ports/', { inactive_bindings: [{ host: 'h' }], 'binding:host_id': 'h' }, 'is both active and inactive'],
    ['ports/', { binding_removed: true, 'binding:host_id': 'h' }, 'it has no active binding'],
    ['subnets/', { cidr: '192.0.2.0/24' }, 'is not within 192.0.2.0/24'],
    ['subnets/', { cidr: '10.0.0.1' }, 'overlaps'],
    ['subnets/', { subnetpool_id: 'none' }, 'its pool none does not exist'],
    ['subnets/', { cidr: '10.7.0.0/24' }, 'is not in its pool'],
    ['subnet-pools/', { prefixes: ['10.5.0.0/17', '10.5.128.0/17'] }, 'could be fewer'],
    ['subnet-pools/', { prefixes: ['fd00::/8'] }, 'are no prefixes of its family'],
    ['subnet-pools/', { min_prefixlen: 29 }, 'do not go together'],
    ['subnet-pools/', { address_scope_id: 'none' }, 'its address scope none does not exist'],
    ['address-scopes/', { ip_version: 6 }, 'its address scope is of another family'],
    ['subnet-pools/', { is_default: false }, 'nothing asks for it'],
    ['subnets/', { gateway_ip: '10.0.0.9' }, 'its gateway is in pool'],
    ['networks/', { 'router:external': true }, 'no policy says so'],
    ['groups/', { stateful: true }, 'nothing asks for it'],
    ['rules/', { remote_ip_prefix: '2001:db8::/32', ethertype: 'IPv4' }, 'is no prefix of IPv4'],
    ['address-groups/', { addresses: ['192.0.2.1/24'] }, 'is not how a prefix is written'],
    ['rbac/', { object_id: 'none' }, 'network none does not exist'],
    ['quotas/', { project_id: 'c' }, 'it speaks of project c'],
    ['quotas/', { limits: { cats: 1 } }, 'cats is not counted'],
    ['qos/', { is_default: false }, 'nothing asks for it'],
  ])('is broken when a record of %s is changed to %o', async (prefix, patch, problem) => {
    await furnish();
    const entries = await snapshot();
    // Any record of the kind may be the one that tells.
    const keysOf = entries.filter((entry) => entry.key.startsWith(prefix)).map((entry) => entry.key);
    const told = keysOf.flatMap((key) => violationsOf(changed(entries, key, patch)));
    expect(told.map((one) => one.problem)).toContainEqual(expect.stringContaining(problem));
  });

  it('is broken when two records of it say the same', async () => {
    await furnish();
    const entries = await snapshot();
    for (const prefix of ['rules/', 'rbac/', 'ports/', 'subnets/', 'subnet-pools/']) {
      const one = entries.find((entry) => entry.key.startsWith(prefix));
      const key = `${one?.key.slice(0, -1)}!`;
      const id = key.slice(key.lastIndexOf('/') + 1);
      const copy = { key, value: JSON.stringify({ ...JSON.parse(one?.value ?? ''), id }) };
      expect(violationsOf([...entries, copy]), key).not.toEqual([]);
    }
  });
});
