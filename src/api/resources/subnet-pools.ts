/** Subnet pools: subnets are allocated from their prefixes. There is at most one default pool for each version of IP. */
import { invalidInput, refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import type { SubnetPoolRecord } from '../../model/records.ts';
import type { Birth } from '../../model/standard-attributes.ts';
import { prefixOf } from '../../model/subnet.ts';
import {
  changedSubnetPool,
  newSubnetPool,
  prefixesOfBody,
  type SubnetPoolDraft,
  subnetPoolAttributes,
  subnetPoolVerbs,
  withoutPrefixes,
  withPrefixes,
} from '../../model/subnet-pool.ts';
import type { Capabilities } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { IndexNames, Row } from '../state/table.ts';
import { joinScope, requireScopeOwner } from './scope-membership.ts';
import { removePolicies } from './sharing.ts';
import { StoredResource } from './stored-resource.ts';
import { onboarding, prefixListing } from './subnet-pool-actions.ts';

export class SubnetPools extends StoredResource<
  SubnetPoolRecord,
  typeof subnetPoolAttributes,
  IndexNames<State['subnetPools']>
> {
  override readonly name = 'subnetpool';
  override readonly collection = 'subnetpools';
  override readonly path = 'subnetpools';
  override readonly table = subnetPoolAttributes;
  override readonly verbs = subnetPoolVerbs;
  protected override readonly missingCode = 'SubnetPoolNotFound';
  protected override readonly rowsIn = (state: State) => state.subnetPools;
  protected override readonly indexes = { name: 'name', address_scope_id: 'scope' } as const;
  override readonly capabilities: Capabilities<SubnetPoolRecord, typeof subnetPoolAttributes> = {
    update: (change, { record }, patch, caller) => {
      const after = changedSubnetPool(record, patch);
      this.#settleDefault(change, record.is_default, after);
      requireScopeOwner(this.state, caller, record);
      joinScope(change, this.state, caller, record, after);
      return after;
    },
    actions: {
      add_prefixes: prefixListing((change, { record }, body, caller) => {
        requireScopeOwner(this.state, caller, record);
        const after = withPrefixes(record, prefixesOfBody(body));
        joinScope(change, this.state, caller, record, after);
        return after;
      }),
      remove_prefixes: prefixListing((change, { record }, body) => {
        const cut = [...this.state.subnets.by('pool', record.id)].map((row) => prefixOf(row.record));
        change.requireQuiet(keys.subnetPoolUse.under(record.id));
        return withoutPrefixes(record, prefixesOfBody(body), cut);
      }),
      onboard_network_subnets: onboarding(this.context),
    },
    tags: {},
    sharing: this.byPolicies,
    quota: { counts: 'subnetpool' },
  };

  override show(pool: SubnetPoolRecord, reader: Caller) {
    return {
      ...super.show(pool, reader),
      // As text, by which clients know them.
      default_prefixlen: String(pool.default_prefixlen),
      min_prefixlen: String(pool.min_prefixlen),
      max_prefixlen: String(pool.max_prefixlen),
    };
  }

  protected override createOne(
    change: Change,
    draft: SubnetPoolDraft,
    birth: Birth,
    caller: Caller,
    created: readonly SubnetPoolRecord[],
  ): SubnetPoolRecord {
    const pool = newSubnetPool(birth, draft);
    this.#settleDefault(change, false, pool);
    joinScope(change, this.state, caller, null, pool, created);
    change.put(keys.subnetPool(pool.id), pool);
    return pool;
  }

  override remove(change: Change, { key, record }: Row<SubnetPoolRecord>): void {
    const { state } = this;
    if (state.subnets.by('pool', record.id).size > 0)
      refuse({ code: 'SubnetPoolDeleteError', reason: 'Subnet pool has existing allocations' });
    change.requireQuiet(keys.subnetPoolUse.under(record.id));
    if (record.is_default) change.remove(keys.defaultSubnetPool(String(record.ip_version)));
    if (record.address_scope_id !== null)
      change.remove(keys.addressScopeUse(record.address_scope_id, record.id));
    removePolicies(change, state, record.id);
    change.remove(key);
  }

  /** `was`: the pool is the default one up to now. */
  #settleDefault(change: Change, was: boolean, pool: SubnetPoolRecord): void {
    if (was === pool.is_default) return;
    const key = keys.defaultSubnetPool(String(pool.ip_version));
    if (was) {
      change.remove(key);
      return;
    }
    const { subnetPools } = this.state;
    if (subnetPools.by('default', String(pool.ip_version)).size > 0 || !change.claim(key)) {
      invalidInput(
        'A default subnetpool for this IP family has already been set. ' +
          'Only one default may exist per IP family',
      );
    }
    change.requireAbsent(key);
    change.put(key, pool.id);
  }
}
