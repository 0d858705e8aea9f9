/** Address groups: prefixes under one name, which rules refer to. */
import {
  type AddressGroupDraft,
  type AddressGroupPatch,
  addressesBody,
  addressGroupAttributes,
  addressGroupVerbs,
  newAddressGroup,
  withAddresses,
  withoutAddresses,
} from '../../model/address-group.ts';
import type { Draft } from '../../model/attribute.ts';
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import type { AddressGroupRecord } from '../../model/records.ts';
import { type Filters, rowsById, rowsByIndex } from '../http/filters.ts';
import { type Context, ownerOf, type Resource } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { isOpenTo, removePolicies } from './sharing.ts';

export class AddressGroups implements Resource<AddressGroupRecord> {
  readonly name = 'address_group';
  readonly collection = 'address_groups';
  readonly path = 'address-groups';
  readonly table = addressGroupAttributes;
  readonly verbs = addressGroupVerbs;
  readonly concealed = true;
  readonly actions = {
    add_addresses: (row: Row<AddressGroupRecord>, body: unknown) => withAddresses(row.record, body),
    remove_addresses: (row: Row<AddressGroupRecord>, body: unknown) => withoutAddresses(row.record, body),
  };
  readonly actionBodies = { add_addresses: addressesBody, remove_addresses: addressesBody };
  readonly computed = {
    shared: (group: AddressGroupRecord, reader: Caller) => this.isShared(group, reader.project),
  };
  readonly isShared = (group: AddressGroupRecord, project: string): boolean =>
    isOpenTo(this.#context.view.state, group, project);
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  find(id: string): Row<AddressGroupRecord> | undefined {
    return this.#context.view.state.addressGroups.get(id);
  }

  candidates(filters: Filters): Iterable<Row<AddressGroupRecord>> {
    const { addressGroups } = this.#context.view.state;
    return (
      rowsById(filters, (id) => addressGroups.get(id)) ??
      rowsByIndex(filters, 'name', (name) => addressGroups.by('name', name)) ??
      addressGroups.all()
    );
  }

  missing(id: string) {
    return { code: 'AddressGroupNotFound', id } as const;
  }

  show(group: AddressGroupRecord, reader: Caller): Record<string, unknown> {
    return { ...group, tenant_id: group.project_id, shared: this.isShared(group, reader.project) };
  }

  create(change: Change, drafts: readonly Draft[], caller: Caller): readonly AddressGroupRecord[] {
    return drafts.map((draft) => {
      const birth = { id: this.#context.newId(), project: ownerOf(draft, caller), now: change.now };
      const group = newAddressGroup(birth, draft as unknown as AddressGroupDraft);
      change.put(keys.addressGroup(group.id), group);
      return group;
    });
  }

  update(_change: Change, row: Row<AddressGroupRecord>, draft: Draft): AddressGroupRecord {
    return { ...row.record, ...(draft as AddressGroupPatch) };
  }

  remove(change: Change, row: Row<AddressGroupRecord>): void {
    const { id } = row.record;
    const { state } = this.#context.view;
    if (state.rules.by('addresses', id).size > 0) refuse({ code: 'AddressGroupInUse', id });
    change.requireQuiet(keys.addressGroupUse.under(id));
    removePolicies(change, state, id);
    change.remove(row.key);
  }
}
