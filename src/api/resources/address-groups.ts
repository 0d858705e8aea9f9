/** Address groups: prefixes under one name, which rules refer to. */
import {
  type AddressGroupDraft,
  addressesBody,
  addressGroupAttributes,
  addressGroupVerbs,
  newAddressGroup,
  withAddresses,
  withoutAddresses,
} from '../../model/address-group.ts';
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import type { AddressGroupRecord } from '../../model/records.ts';
import type { Birth } from '../../model/standard-attributes.ts';
import type { Capabilities } from '../http/resource.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { IndexNames, Row } from '../state/table.ts';
import { removePolicies } from './sharing.ts';
import { StoredResource } from './stored-resource.ts';

export class AddressGroups extends StoredResource<
  AddressGroupRecord,
  typeof addressGroupAttributes,
  IndexNames<State['addressGroups']>
> {
  override readonly name = 'address_group';
  override readonly collection = 'address_groups';
  override readonly path = 'address-groups';
  override readonly table = addressGroupAttributes;
  override readonly verbs = addressGroupVerbs;
  protected override readonly missingCode = 'AddressGroupNotFound';
  protected override readonly rowsIn = (state: State) => state.addressGroups;
  protected override readonly indexes = { name: 'name' } as const;
  override readonly capabilities: Capabilities<AddressGroupRecord, typeof addressGroupAttributes> = {
    update: (_change, { record }, patch) => ({ ...record, ...patch }),
    sharing: { ...this.byPolicies, concealed: true },
    actions: {
      add_addresses: {
        body: addressesBody,
        run: (_change, { record }, body) => ({ record: withAddresses(record, body) }),
      },
      remove_addresses: {
        body: addressesBody,
        run: (_change, { record }, body) => ({ record: withoutAddresses(record, body) }),
      },
    },
  };

  protected override createOne(change: Change, draft: AddressGroupDraft, birth: Birth): AddressGroupRecord {
    const group = newAddressGroup(birth, draft);
    change.put(keys.addressGroup(group.id), group);
    return group;
  }

  override remove(change: Change, row: Row<AddressGroupRecord>): void {
    const { id } = row.record;
    if (this.state.rules.by('addresses', id).size > 0) refuse({ code: 'AddressGroupInUse', id });
    change.requireQuiet(keys.addressGroupUse.under(id));
    removePolicies(change, this.state, id);
    change.remove(row.key);
  }
}
