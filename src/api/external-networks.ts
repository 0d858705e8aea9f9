/**
 * External networks: every project may know of one, or those that policies name. The attribute and the policies say
 * the same, so each follows the other.
 */
import { refuse } from '../model/faults.ts';
import { keys } from '../model/keys.ts';
import { external } from '../model/network.ts';
import { newRbacPolicy } from '../model/rbac-policy.ts';
import type { NetworkRecord, RbacPolicyRecord } from '../model/records.ts';
import type { Change } from './change.ts';
import type { State } from './state.ts';

export const accessAsExternal = 'access_as_external';
const gatewayOwner = 'network:router_gateway';

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

/** The network's being replaced, which every change of its policies does too, keeps others from coming meanwhile. */
export function closeToAll(change: Change, state: State, network: string): void {
  requireNoGateways(change, state, network);
  for (const row of state.rbacPolicies.by('object', network)) {
    if (row.record.action !== accessAsExternal) continue;
    change.replace(row);
    change.remove(row.key);
  }
}

/** The network as its policies have it. */
export function withPolicies(network: NetworkRecord, policies: readonly RbacPolicyRecord[]): NetworkRecord {
  const { [external]: _, ...rest } = network;
  return policies.some((policy) => policy.action === accessAsExternal) ? { ...rest, [external]: true } : rest;
}
