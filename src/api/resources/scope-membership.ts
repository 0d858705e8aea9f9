/**
 * Subnet pools in address scopes: which pools a scope accepts, and the marks by which two requests cannot add pools that
 * exclude each other.
 */
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import type { AddressScopeRecord, SubnetPoolRecord } from '../../model/records.ts';
import { poolRanges } from '../../model/subnet-pool.ts';
import { rangesOverlap } from '../../net/address-ranges.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import { admit } from './admission.ts';

const missing = (id: string): never => refuse({ code: 'AddressScopeNotFound', id });

/** The owner of a pool in another project's scope cannot change the pool. */
export function requireScopeOwner(state: State, caller: Caller, pool: SubnetPoolRecord): void {
  const { id, address_scope_id: scope } = pool;
  const owner = scope === null ? undefined : state.addressScopes.get(scope)?.record.project_id;
  if (owner === undefined || caller.admin || owner === caller.project) return;
  refuse({
    code: 'IllegalSubnetPoolUpdate',
    reason: `subnetpool ${id} cannot be updated when associated with shared address scope ${scope}`,
  });
}

/** Pools of a network's subnets are in one scope, before and after. */
function requireAffinity(change: Change, state: State, pool: SubnetPoolRecord): void {
  const networks = new Set([...state.subnets.by('pool', pool.id)].map(({ record }) => record.network_id));
  if (networks.size === 0) {
    change.requireQuiet(keys.subnetPoolUse.under(pool.id));
    return;
  }
  for (const network of networks) {
    for (const { record } of state.subnets.by('network', network)) {
      if (record.ip_version === pool.ip_version && record.subnetpool_id !== pool.id)
        refuse({ code: 'NetworkAddressScopeAffinityError' });
    }
  }
  // A new subnet may be beside one of the pool's.
  change.requireQuiet('subnets/');
}

function requireSpace(
  state: State,
  scope: AddressScopeRecord,
  pool: SubnetPoolRecord,
  others: readonly SubnetPoolRecord[],
): void {
  const ranges = poolRanges(pool);
  const present = [...state.subnetPools.by('scope', scope.id)].map((row) => row.record);
  for (const other of [...present, ...others.filter((one) => one.address_scope_id === scope.id)])
    if (other.id !== pool.id && rangesOverlap(poolRanges(other), ranges))
      refuse({ code: 'AddressScopePrefixConflict' });
}

/** `before` is null for a new pool, `others` are what the change makes beside it. */
export function joinScope(
  change: Change,
  state: State,
  caller: Caller,
  before: SubnetPoolRecord | null,
  after: SubnetPoolRecord,
  others: readonly SubnetPoolRecord[] = [],
): void {
  const [left, id] = [before?.address_scope_id ?? null, after.address_scope_id];
  const moved = left !== id;
  if (moved && left !== null) change.remove(keys.addressScopeUse(left, after.id));
  if (id !== null && (moved || before?.prefixes.join() !== after.prefixes.join())) {
    if (moved) admit(change, state, caller, 'address_scope', id);
    const scope = state.addressScopes.get(id)?.record ?? missing(id);
    if (scope.ip_version !== after.ip_version) {
      const code = 'IllegalSubnetPoolIpVersionAssociationToAddressScope';
      refuse({ code, pool: after.id, scope: id, version: scope.ip_version });
    }
    requireSpace(state, scope, after, others);
    change.requirePresent(keys.addressScope(id));
    change.claim(keys.addressScopeUse.under(id));
    change.requireQuiet(keys.addressScopeUse.under(id));
    change.put(keys.addressScopeUse(id, after.id), '');
  }
  if (moved && before !== null) requireAffinity(change, state, after);
}
