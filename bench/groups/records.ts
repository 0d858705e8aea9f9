/** A group world as records in the store, as the API would have written them. */
import { keys } from '../../src/model/keys.ts';
import type { AddressGroupRecord, SecurityGroupRecord } from '../../src/model/records.ts';
import type { Store, Write } from '../../src/store/contract.ts';
import {
  networkRecord,
  portRecord,
  putNetwork,
  putPort,
  putRule,
  putSubnet,
  ruleRecord,
  subnetRecord,
  withPortMarks,
} from '../../test/lib/records.ts';
import { type GroupPort, type GroupRule, type GroupWorld, networkCidr } from './world.ts';

export const network = 'a0000000-0000-4000-8000-000000000000';
export const servers = 'b0000000-0000-4000-8000-000000000001';
export const clients = 'b0000000-0000-4000-8000-000000000002';
const addressGroup = 'c0000000-0000-4000-8000-000000000000';

/** Ports of one remote hypervisor. */
const density = 20;
/** Writes of one transaction. */
const bulk = 500;

const standard = portRecord({ id: '', mac: '' });
const attributes = (id: string) => ({
  id,
  project_id: standard.project_id,
  description: '',
  created_at: standard.created_at,
  updated_at: standard.updated_at,
  revision_number: 0,
});

const put = (key: string, record: object): Write => ({ op: 'put', key, value: JSON.stringify(record) });

function putGroup(id: string): Write {
  const record: SecurityGroupRecord = { ...attributes(id), name: id, stateful: true, is_default: false };
  return put(keys.group(id), record);
}

function putAddressGroup(members: readonly GroupPort[]): Write {
  const addresses = members.flatMap(({ ipv4, ipv6 }) => [`${ipv4}/32`, `${ipv6}/128`]);
  const record: AddressGroupRecord = { ...attributes(addressGroup), name: addressGroup, addresses };
  return put(keys.addressGroup(addressGroup), record);
}

function putGroupRule({ id, family, port }: GroupRule, remote: GroupWorld['remote']): Write {
  return putRule(
    ruleRecord(id, servers, 'ingress', {
      ethertype: family === 4 ? 'IPv4' : 'IPv6',
      protocol: 'tcp',
      port_range_min: port,
      port_range_max: port,
      remote_group_id: remote === 'group' ? clients : null,
      remote_address_group_id: remote === 'addresses' ? addressGroup : null,
    }),
  );
}

const putGroupPort = ({ id, mac, ipv4, ipv6 }: GroupPort, groups: readonly string[], host: string): Write =>
  putPort({ id, network, mac, ips: [ipv4, ipv6], groups, changes: { 'binding:host_id': host } });

const hostOf = (n: number): string => `hypervisor-${Math.floor(n / density)}`;

/** A member as it is while it is one, and while it is not. */
export const memberWrite = (member: GroupPort, belongs: boolean): Write =>
  putGroupPort(member, belongs ? [clients] : [], 'hypervisor-0');

export function worldWrites({ locals, members, rules, remote }: GroupWorld): Write[] {
  const everything = (ethertype: 'IPv4' | 'IPv6') =>
    putRule(ruleRecord(`${servers}-out-${ethertype}`, servers, 'egress', { ethertype }));
  return [
    putNetwork(networkRecord(network)),
    putSubnet(subnetRecord('s4', network, networkCidr[4])),
    putSubnet(subnetRecord('s6', network, networkCidr[6])),
    putGroup(servers),
    putGroup(clients),
    ...(remote === 'addresses' ? [putAddressGroup(members)] : []),
    everything('IPv4'),
    everything('IPv6'),
    ...rules.map((rule) => putGroupRule(rule, remote)),
    ...locals.map((port) => putGroupPort(port, [servers], '')),
    ...members.map((port, n) => putGroupPort(port, [clients], hostOf(n))),
  ];
}

export async function writeAll(store: Store, writes: readonly Write[]): Promise<void> {
  for (let at = 0; at < writes.length; at += bulk)
    await store.txn([], withPortMarks(writes.slice(at, at + bulk)));
}
