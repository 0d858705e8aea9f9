/** What holds of networks and their subnets. */

import { type Cidr, overlaps, parseCidr, parseIp } from '../../net/cidr.ts';
import { hostRange, poolRange } from '../address-pools.ts';
import { keys } from '../keys.ts';
import { isNetworkKey } from '../numbers.ts';
import { qosPolicyIdOf } from '../qos-policy.ts';
import type { RbacPolicyRecord, SubnetRecord } from '../records.ts';
import { type Invariant, invariantOf } from './invariant.ts';

const external = 'router:external';
const minMtu = { 4: 68, 6: 1280 } as const;

const networkInvariant = invariantOf(keys.network, {
  *problems({ record }, snapshot) {
    const policy = qosPolicyIdOf(record);
    if (policy !== null && snapshot.byId(keys.qosPolicy, policy) === undefined)
      yield `its QoS policy ${policy} does not exist`;
    if (!isNetworkKey(record.vni)) yield `${String(record.vni)} is no VNI`;
    const { provider } = record;
    if (provider?.type === 'vlan' && !(provider.segmentation_id >= 1 && provider.segmentation_id <= 4094))
      yield `${provider.segmentation_id} is no VLAN`;
  },
  *together(all, snapshot) {
    const openings = new Map<string, readonly RbacPolicyRecord[]>();
    for (const { record } of snapshot.all(keys.rbacPolicy)) {
      if (record.action !== 'access_as_external') continue;
      openings.set(record.object_id, [...(openings.get(record.object_id) ?? []), record]);
    }
    for (const { key, record } of all) {
      const policies = openings.get(record.id) ?? [];
      const isExternal = record[external] ?? false;
      if (isExternal && policies.length === 0) yield [key, 'it is external and no policy says so'];
      if (!isExternal && policies.length > 0) yield [key, 'a policy makes it external and it is not'];
      if (record.is_default === true && !policies.some((one) => one.target_tenant === '*'))
        yield [key, 'it is the default external network and not every project knows of it'];
    }
  },
  *marks(network) {
    const { id } = network;
    if (isNetworkKey(network.vni)) yield [keys.networkKey(String(network.vni)), id];
    const { provider } = network;
    if (provider?.type === 'flat') yield [keys.takenFlat(provider.physical_network), id];
    if (provider?.type === 'vlan')
      yield [keys.takenVlan(provider.physical_network, String(provider.segmentation_id)), id];
    const policy = qosPolicyIdOf(network);
    if (policy !== null) yield [keys.qosPolicyUse(policy, id), ''];
    if (network.is_default === true) yield [keys.defaultExternalNetwork(), id];
  },
});

function* poolProblems(subnet: SubnetRecord): Iterable<string> {
  const prefix = parseCidr(subnet.cidr);
  if (prefix === null) return;
  const range = hostRange(prefix);
  const gateway = subnet.gateway_ip === null ? undefined : parseIp(subnet.gateway_ip)?.bits;
  const pools = subnet.allocation_pools.map((pool) => poolRange(pool));
  for (const [at, pool] of pools.entries()) {
    if (pool === null || pool.first > pool.last) yield `pool ${at} is none`;
    else {
      if (pool.first < range.first || pool.last > range.last) yield `pool ${at} is not within ${subnet.cidr}`;
      if (gateway !== undefined && pool.first <= gateway && gateway <= pool.last)
        yield `its gateway is in pool ${at}`;
      const before = pools.slice(0, at);
      if (before.some((other) => other !== null && other.first <= pool.last && pool.first <= other.last))
        yield `pool ${at} overlaps another`;
    }
  }
}

const subnetInvariant = invariantOf(keys.subnet, {
  *problems({ record, parts }, snapshot) {
    const network = snapshot.byId(keys.network, record.network_id);
    if (parts.network !== record.network_id) yield `it lies under network ${parts.network}`;
    if (network === undefined) yield `its network ${record.network_id} does not exist`;
    else if (network.mtu < minMtu[record.ip_version])
      yield `its network is too narrow for IPv${record.ip_version}`;
    const prefix = parseCidr(record.cidr);
    if (prefix === null || prefix.family !== record.ip_version) {
      yield `${record.cidr} is no prefix of its family`;
      return;
    }
    yield* poolProblems(record);
    const gateway = record.gateway_ip === null ? null : parseIp(record.gateway_ip);
    if (gateway === null && record.gateway_ip !== null) yield `${record.gateway_ip} is no address`;
    if (gateway !== null && gateway.family !== prefix.family) yield 'its gateway is of another family';
    const modes = [record.ipv6_ra_mode, record.ipv6_address_mode];
    if (record.ip_version === 4 && modes.some((mode) => mode !== null)) yield 'IPv4 has no IPv6 modes';
    if (!record.enable_dhcp && modes.some((mode) => mode !== null)) yield 'it has IPv6 modes without DHCP';
  },
  *together(all) {
    const byNetwork = new Map<string, { key: string; prefix: Cidr }[]>();
    for (const { key, record } of all) {
      const prefix = parseCidr(record.cidr);
      if (prefix === null) continue;
      const siblings = byNetwork.get(record.network_id) ?? [];
      for (const other of siblings)
        if (overlaps(other.prefix, prefix)) yield [key, `it overlaps ${other.key}`];
      byNetwork.set(record.network_id, [...siblings, { key, prefix }]);
    }
  },
});

export const networkInvariants: readonly Invariant[] = [networkInvariant, subnetInvariant];
