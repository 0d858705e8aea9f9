/** Address scopes: subnet pools in one scope have no address in common (scope-membership.ts). */
import {
  type AddressScopeDraft,
  addressScopeAttributes,
  addressScopeVerbs,
  changedAddressScope,
  newAddressScope,
} from '../../model/address-scope.ts';
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import type { AddressScopeRecord } from '../../model/records.ts';
import type { Birth } from '../../model/standard-attributes.ts';
import type { Capabilities } from '../http/resource.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { IndexNames, Row } from '../state/table.ts';
import { removePolicies } from './sharing.ts';
import { StoredResource } from './stored-resource.ts';

export class AddressScopes extends StoredResource<
  AddressScopeRecord,
  typeof addressScopeAttributes,
  IndexNames<State['addressScopes']>
> {
  override readonly name = 'address_scope';
  override readonly collection = 'address_scopes';
  override readonly path = 'address-scopes';
  override readonly table = addressScopeAttributes;
  override readonly verbs = addressScopeVerbs;
  protected override readonly missingCode = 'AddressScopeNotFound';
  protected override readonly rowsIn = (state: State) => state.addressScopes;
  protected override readonly indexes = { name: 'name' } as const;
  override readonly capabilities: Capabilities<AddressScopeRecord, typeof addressScopeAttributes> = {
    update: (_change, { record }, patch, caller) =>
      changedAddressScope(record, patch, this.byPolicies.isShared(record, caller.project)),
    sharing: this.byPolicies,
  };

  protected override createOne(change: Change, draft: AddressScopeDraft, birth: Birth): AddressScopeRecord {
    const scope = newAddressScope(birth.id, birth.project, draft);
    change.put(keys.addressScope(scope.id), scope);
    return scope;
  }

  override remove(change: Change, row: Row<AddressScopeRecord>): void {
    const { id } = row.record;
    if (this.state.subnetPools.by('scope', id).size > 0) refuse({ code: 'AddressScopeInUse', id });
    change.requireQuiet(keys.addressScopeUse.under(id));
    removePolicies(change, this.state, id);
    change.remove(row.key);
  }
}
