/**
 * A port's record and its marks (taken addresses, uses of groups), always written together; and the removal of all of
 * them.
 */
import { keys } from '../../model/keys.ts';
import type { PortRecord } from '../../model/records.ts';
import type { Context } from '../http/resource.ts';
import type { Change } from '../state/change.ts';
import { writeQosPolicyUse } from './qos-policy-use.ts';

/** Neutron's own service ports that go with their network. */
const disposable = new Set(['network:dhcp', 'network:distributed', 'network:floatingip_agent_gateway']);

export const isDisposable = (port: PortRecord): boolean => disposable.has(port.device_owner);

const addressesOf = (port: PortRecord | null): readonly string[] =>
  port?.fixed_ips.map((ip) => ip.ip_address) ?? [];

/** Puts the record, adds its new marks and removes those that no longer apply. */
export function writePort(change: Change, before: PortRecord | null, after: PortRecord): void {
  const { id, network_id: network } = after;
  change.put(keys.port(network, id), after);
  if (before === null) change.put(keys.portNetwork(id), network);
  const kept = new Set(addressesOf(before));
  for (const address of addressesOf(after)) {
    if (kept.delete(address)) continue;
    change.requireAbsent(keys.takenIp(network, address));
    change.put(keys.takenIp(network, address), id);
  }
  for (const address of kept) change.remove(keys.takenIp(network, address));
  if (before?.mac_address !== after.mac_address) {
    if (before !== null) change.remove(keys.takenMac(network, before.mac_address));
    change.requireAbsent(keys.takenMac(network, after.mac_address));
    change.put(keys.takenMac(network, after.mac_address), id);
  }
  const held = new Set(before?.security_groups);
  for (const group of after.security_groups) {
    if (held.delete(group)) continue;
    change.requirePresent(keys.group(group));
    change.put(keys.groupUse(group, id), '');
  }
  for (const group of held) change.remove(keys.groupUse(group, id));
  writeQosPolicyUse(change, before, after);
}

/** That the record is unchanged is already a condition. */
export function removePortRecord(change: Change, context: Context, port: PortRecord): void {
  const { id, network_id: network } = port;
  const { state } = context.view;
  change.remove(keys.port(network, id));
  change.remove(keys.portNetwork(id));
  change.remove(keys.portKey(network, String(port.key)));
  change.remove(keys.takenMac(network, port.mac_address));
  for (const address of addressesOf(port)) change.remove(keys.takenIp(network, address));
  for (const group of port.security_groups) change.remove(keys.groupUse(group, id));
  writeQosPolicyUse(change, port, null);
  change.remove(keys.binding(network, id));
  const linkLocals = state.linkLocalKeys(id);
  for (const key of linkLocals) change.remove(key);
  for (const key of state.owners.keysOf(id)) change.remove(key);
  // Only a port that a host holds can get an address meanwhile.
  if (!state.bindings.has(id)) return;
  change.requireQuiet(keys.linkLocal(network, ''));
  change.requireQuiet(keys.owner.under(network));
}
