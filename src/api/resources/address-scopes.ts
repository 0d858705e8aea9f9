/** Address scopes: subnet pools in one scope have no address in common. What a pool must do to be in one is here too. */
import {
  type AddressScopeDraft,
  addressScopeAttributes,
  addressScopeVerbs,
  changedAddressScope,
  newAddressScope,
} from '../../model/address-scope.ts';
import type { Draft } from '../../model/attribute.ts';
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import type { AddressScopeRecord } from '../../model/records.ts';
import { type Filters, rowsById, rowsByIndex } from '../http/filters.ts';
import { type Context, ownerOf, type Resource } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { isOpenTo, removePolicies } from './sharing.ts';

export class AddressScopes implements Resource<AddressScopeRecord> {
  readonly name = 'address_scope';
  readonly collection = 'address_scopes';
  readonly path = 'address-scopes';
  readonly table = addressScopeAttributes;
  readonly verbs = addressScopeVerbs;
  readonly computed = {
    shared: (scope: AddressScopeRecord, reader: Caller) => this.isShared(scope, reader.project),
  };
  readonly isShared = (scope: AddressScopeRecord, project: string): boolean =>
    isOpenTo(this.#context.view.state, scope, project);
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  find(id: string): Row<AddressScopeRecord> | undefined {
    return this.#context.view.state.addressScopes.get(id);
  }

  candidates(filters: Filters): Iterable<Row<AddressScopeRecord>> {
    const { addressScopes } = this.#context.view.state;
    return (
      rowsById(filters, (id) => addressScopes.get(id)) ??
      rowsByIndex(filters, 'name', (name) => addressScopes.by('name', name)) ??
      addressScopes.all()
    );
  }

  missing(id: string) {
    return { code: 'AddressScopeNotFound', id } as const;
  }

  show(scope: AddressScopeRecord, reader: Caller): Record<string, unknown> {
    return { ...scope, tenant_id: scope.project_id, shared: this.isShared(scope, reader.project) };
  }

  create(change: Change, drafts: readonly Draft[], caller: Caller): readonly AddressScopeRecord[] {
    return drafts.map((draft) => {
      const asked = draft as unknown as AddressScopeDraft;
      const scope = newAddressScope(this.#context.newId(), ownerOf(draft, caller), asked);
      change.put(keys.addressScope(scope.id), scope);
      return scope;
    });
  }

  update(
    _change: Change,
    { record }: Row<AddressScopeRecord>,
    draft: Draft,
    caller: Caller,
  ): AddressScopeRecord {
    return changedAddressScope(record, draft, this.isShared(record, caller.project));
  }

  remove(change: Change, row: Row<AddressScopeRecord>): void {
    const { id } = row.record;
    const { state } = this.#context.view;
    if (state.subnetPools.by('scope', id).size > 0) refuse({ code: 'AddressScopeInUse', id });
    change.requireQuiet(keys.addressScopeUse.under(id));
    removePolicies(change, state, id);
    change.remove(row.key);
  }
}
