/** What holds of ports and of what hosts write about them. */

import { formatCidr, parseCidr, parseIp } from '../../net/cidr.ts';
import { parseMac } from '../../net/mac.ts';
import { isHostAddress } from '../address-pools.ts';
import { keys } from '../keys.ts';
import { isPortKey } from '../numbers.ts';
import { isTrustedOwner } from '../port-owner.ts';
import { qosPolicyIdOf } from '../qos-policy.ts';
import type { FixedIp, PortRecord } from '../records.ts';
import { type Invariant, invariantOf } from './invariant.ts';
import type { SortedSnapshot } from './snapshot.ts';

function* addressProblems(port: PortRecord, ip: FixedIp, snapshot: SortedSnapshot): Iterable<string> {
  const { subnet_id: id, ip_address: text } = ip;
  const subnet = snapshot.byId(keys.subnet, id);
  const address = parseIp(text);
  if (subnet === undefined) {
    yield `subnet ${id} of ${text} does not exist`;
    return;
  }
  if (subnet.network_id !== port.network_id) yield `subnet ${id} of ${text} is of another network`;
  if (address === null || formatCidr(address) !== text) {
    yield `${text} is not how an address is written`;
    return;
  }
  const prefix = parseCidr(subnet.cidr);
  if (prefix !== null && !isHostAddress(prefix, address)) yield `${text} is no host of ${subnet.cidr}`;
}

function* guardProblems(port: PortRecord, snapshot: SortedSnapshot): Iterable<string> {
  const held = port.security_groups;
  if (new Set(held).size !== held.length) yield 'it has a group twice';
  for (const id of held)
    if (snapshot.byId(keys.group, id) === undefined) yield `its group ${id} does not exist`;
  const stateful = held.map((id) => snapshot.byId(keys.group, id)?.stateful ?? true);
  if (new Set(stateful).size > 1) yield 'it mixes stateful and stateless groups';
  if (port.port_security_enabled) {
    // One that was given to a router stays guarded.
    const given = port.device_owner === 'network:router_interface';
    if (isTrustedOwner(port.device_owner) && !given) yield `${port.device_owner} is never guarded`;
    return;
  }
  if (held.length > 0) yield 'it has groups without port security';
  if (port.allowed_address_pairs.length > 0) yield 'it has allowed pairs without port security';
}

function* bindingProblems(port: PortRecord): Iterable<string> {
  const waiting = (port.inactive_bindings ?? []).map(({ host }) => host);
  if (new Set(waiting).size !== waiting.length) yield 'it has two inactive bindings at one host';
  const host = port['binding:host_id'];
  if (host !== '' && waiting.includes(host)) yield `its binding at ${host} is both active and inactive`;
  if (port.binding_removed === true && host !== '') yield `it has no active binding and is at ${host}`;
}

const portInvariant = invariantOf(keys.port, {
  *problems({ record, parts }, snapshot) {
    if (parts.network !== record.network_id) yield `it lies under network ${parts.network}`;
    if (snapshot.byId(keys.network, record.network_id) === undefined)
      yield `its network ${record.network_id} does not exist`;
    if (parseMac(record.mac_address) !== record.mac_address)
      yield `${record.mac_address} is not how a MAC is written`;
    if (!isPortKey(record.key)) yield `${String(record.key)} is no port key`;
    for (const ip of record.fixed_ips) yield* addressProblems(record, ip, snapshot);
    yield* guardProblems(record, snapshot);
    yield* bindingProblems(record);
    const pairs = record.allowed_address_pairs.map((pair) => `${pair.mac_address} ${pair.ip_address}`);
    if (new Set(pairs).size !== pairs.length) yield 'it has an allowed pair twice';
    const policy = qosPolicyIdOf(record);
    if (policy !== null && snapshot.byId(keys.qosPolicy, policy) === undefined)
      yield `its QoS policy ${policy} does not exist`;
  },
  *marks({ id, network_id: network, ...port }) {
    yield [keys.takenMac(network, port.mac_address), id];
    yield [keys.portNetwork(id), network];
    if (isPortKey(port.key)) yield [keys.portKey(network, String(port.key)), id];
    for (const ip of port.fixed_ips) yield [keys.takenIp(network, ip.ip_address), id];
    for (const group of port.security_groups) yield [keys.groupUse(group, id), ''];
    const policy = qosPolicyIdOf(port);
    if (policy !== null) yield [keys.qosPolicyUse(policy, id), ''];
  },
});

function* holderProblems(
  network: string | undefined,
  port: string,
  snapshot: SortedSnapshot,
): Iterable<string> {
  const record = snapshot.byId(keys.port, port);
  if (record === undefined) yield `port ${port} does not exist`;
  else if (record.network_id !== network) yield `port ${port} is of another network`;
}

const bindingInvariant = invariantOf(keys.binding, {
  problems: ({ parts }, snapshot) => holderProblems(parts.network, parts.id, snapshot),
});

const linkLocalInvariant = invariantOf(keys.linkLocal, {
  problems: ({ parts, record }, snapshot) => holderProblems(parts.network, record.port, snapshot),
});

const ownerInvariant = invariantOf(keys.owner, {
  problems: ({ parts, record }, snapshot) => holderProblems(parts.network, record.port, snapshot),
});

export const portInvariants: readonly Invariant[] = [
  portInvariant,
  bindingInvariant,
  linkLocalInvariant,
  ownerInvariant,
];
