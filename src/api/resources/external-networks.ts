/**
 * External networks: visible to all projects, or to those that policies name. The attribute and the policies mean the same,
 * so a change of one changes the other.
 */
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import { external } from '../../model/network.ts';
import { newRbacPolicy } from '../../model/rbac-policy.ts';
import type { NetworkRecord, RbacPolicyRecord } from '../../model/records.ts';
import { gatewayOwner } from '../../model/router.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';

export const accessAsExternal = 'access_as_external';

export const isExternal = (network: NetworkRecord): boolean => network[external] ?? false;

/** Whether a policy lets the project know of the network. */
export function isExternalTo(state: State, network: string, project: string): boolean {
  for (const { record } of state.rbacPolicies.by('object', network)) {
    const named = record.target_tenant === '*' || record.target_tenant === project;
    if (record.action === accessAsExternal && named) return true;
  }
  return false;
}

/** Lets every project know of the network. */
export function openToAll(change: Change, newId: () => string, network: NetworkRecord): void {
  const policy = newRbacPolicy(newId(), network.project_id, {
    object_type: 'network',
    object_id: network.id,
    target_tenant: '*',
    action: accessAsExternal,
  });
  change.put(keys.rbacPolicy(policy.id), policy);
}

/** Refuses while routers have their gateways there. */
export function requireNoGateways(change: Change, state: State, network: string): void {
  for (const { record } of state.ports.by('network', network))
    if (record.device_owner === gatewayOwner) refuse({ code: 'ExternalNetworkInUse', network });
  change.requireQuiet(keys.port(network, ''));
}

/** The network is replaced, as every change of its policies does; so no policy can be added meanwhile. */
export function closeToAll(change: Change, state: State, network: string): void {
  requireNoGateways(change, state, network);
  for (const row of state.rbacPolicies.by('object', network)) {
    if (row.record.action !== accessAsExternal) continue;
    change.replace(row);
    change.remove(row.key);
  }
}

/** The network with the attribute that follows from its policies. */
export function withPolicies(network: NetworkRecord, policies: readonly RbacPolicyRecord[]): NetworkRecord {
  const opened = policies.some((policy) => policy.action === accessAsExternal);
  if (opened) return { ...network, [external]: true };
  const { [external]: _external, is_default: _default, ...rest } = network;
  return rest;
}

/** The network as the default one or not, which only external ones can be. */
export function withDefault(network: NetworkRecord, wanted: boolean): NetworkRecord {
  const { is_default: _, ...rest } = network;
  return wanted && isExternal(network) ? { ...rest, is_default: true } : rest;
}

/** The default network is visible to all projects: refuses one whose policies name some projects only. */
export function requireOpenToAll(state: State, network: string): void {
  for (const { record } of state.rbacPolicies.by('object', network))
    if (record.action === accessAsExternal && record.target_tenant === '*') return;
  refuse({ code: 'DefaultExternalNetworkIsForAll', network });
}

/** Keeps the default network the only one. `null` is a network that is not there. */
export function writeDefault(
  change: Change,
  state: State,
  before: NetworkRecord | null,
  after: NetworkRecord | null,
): void {
  const key = keys.defaultExternalNetwork();
  const [was, is] = [before?.is_default === true, after?.is_default === true];
  if (was && !is) change.remove(key);
  if (was || !is || after === null) return;
  const { defaultExternalNetwork: taken } = state;
  if (taken !== null || !change.claim(key))
    refuse({ code: 'DefaultExternalNetworkExists', network: taken ?? after.id });
  change.requireAbsent(key);
  change.put(key, after.id);
}
