/** Subnet pools. What is cut from one follows its prefixes; each has one default at most for each version of IP. */
import type { Draft } from '../../model/attribute.ts';
import { invalidInput, refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import type { SubnetPoolRecord } from '../../model/records.ts';
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
import { tagsOf } from '../../model/tags.ts';
import { type Filters, rowsById, rowsByIndex } from '../http/filters.ts';
import { type Context, ownerOf, type Resource } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { takeQuotaForEach } from './quota-use.ts';
import { joinScope, requireScopeOwner } from './scope-membership.ts';
import { isOpenTo, removePolicies } from './sharing.ts';
import { onboarding, prefixListing } from './subnet-pool-dealings.ts';

export class SubnetPools implements Resource<SubnetPoolRecord> {
  readonly name = 'subnetpool';
  readonly collection = 'subnetpools';
  readonly path = 'subnetpools';
  readonly table = subnetPoolAttributes;
  readonly verbs = subnetPoolVerbs;
  readonly computed = {
    tags: tagsOf,
    shared: (pool: SubnetPoolRecord, reader: Caller) => this.isShared(pool, reader.project),
  };
  readonly isShared = (pool: SubnetPoolRecord, project: string): boolean =>
    isOpenTo(this.#context.view.state, pool, project);
  readonly dealings;
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
    this.dealings = {
      add_prefixes: prefixListing((change, { record }, body, caller) => {
        requireScopeOwner(context.view.state, caller, record);
        const after = withPrefixes(record, prefixesOfBody(body));
        joinScope(change, context.view.state, caller, record, after);
        return after;
      }),
      remove_prefixes: prefixListing((change, { record }, body) => {
        const cut = [...context.view.state.subnets.by('pool', record.id)].map((row) => prefixOf(row.record));
        change.requireQuiet(keys.subnetPoolUse.under(record.id));
        return withoutPrefixes(record, prefixesOfBody(body), cut);
      }),
      onboard_network_subnets: onboarding(context),
    };
  }

  find(id: string): Row<SubnetPoolRecord> | undefined {
    return this.#context.view.state.subnetPools.get(id);
  }

  candidates(filters: Filters): Iterable<Row<SubnetPoolRecord>> {
    const { subnetPools } = this.#context.view.state;
    return (
      rowsById(filters, (id) => subnetPools.get(id)) ??
      rowsByIndex(filters, 'name', (name) => subnetPools.by('name', name)) ??
      rowsByIndex(filters, 'address_scope_id', (scope) => subnetPools.by('scope', scope)) ??
      subnetPools.all()
    );
  }

  missing(id: string) {
    return { code: 'SubnetPoolNotFound', id } as const;
  }

  show(pool: SubnetPoolRecord, reader: Caller): Record<string, unknown> {
    return {
      ...pool,
      // As text, by which clients know them.
      default_prefixlen: String(pool.default_prefixlen),
      min_prefixlen: String(pool.min_prefixlen),
      max_prefixlen: String(pool.max_prefixlen),
      tenant_id: pool.project_id,
      shared: this.isShared(pool, reader.project),
      tags: tagsOf(pool),
    };
  }

  create(change: Change, drafts: readonly Draft[], caller: Caller): readonly SubnetPoolRecord[] {
    const owners = drafts.map((draft) => ownerOf(draft, caller));
    takeQuotaForEach(change, this.#context, 'subnetpool', owners);
    const created: SubnetPoolRecord[] = [];
    for (const draft of drafts) {
      const birth = { id: this.#context.newId(), project: ownerOf(draft, caller), now: change.now };
      const pool = newSubnetPool(birth, draft as unknown as SubnetPoolDraft);
      this.#settleDefault(change, false, pool);
      joinScope(change, this.#context.view.state, caller, null, pool, created);
      change.put(keys.subnetPool(pool.id), pool);
      created.push(pool);
    }
    return created;
  }

  update(change: Change, { record }: Row<SubnetPoolRecord>, draft: Draft, caller: Caller): SubnetPoolRecord {
    const { state } = this.#context.view;
    const after = changedSubnetPool(record, draft);
    this.#settleDefault(change, record.is_default, after);
    requireScopeOwner(state, caller, record);
    joinScope(change, state, caller, record, after);
    return after;
  }

  remove(change: Change, { key, record }: Row<SubnetPoolRecord>): void {
    const { state } = this.#context.view;
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
    const { subnetPools } = this.#context.view.state;
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
