/** Security groups: the default group's privileges, and what removing a group takes along. */

import type { Draft } from '../../model/attribute.ts';
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import type { SecurityGroupRecord } from '../../model/records.ts';
import {
  type GroupDraft,
  isDefaultName,
  newGroup,
  securityGroupAttributes,
  securityGroupVerbs,
} from '../../model/security-group.ts';
import { touched } from '../../model/standard-attributes.ts';
import { tagsOf } from '../../model/tags.ts';
import { type Filters, rowsById, rowsByIndex } from '../http/filters.ts';
import { type Context, ownerOf, type Resource } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { ensureDefaultGroup, plantGroup, prepareDefaultGroups } from './default-group.ts';
import { isStatefulByDefault } from './default-statefulness.ts';
import { quotaLane, takeQuotaForEach } from './quota-use.ts';
import { showRule } from './rule-view.ts';
import { removeRule } from './rule-writes.ts';
import { isOpenTo, removePolicies } from './sharing.ts';

export class SecurityGroups implements Resource<SecurityGroupRecord> {
  readonly name = 'security_group';
  readonly collection = 'security_groups';
  readonly path = 'security-groups';
  readonly table = securityGroupAttributes;
  readonly verbs = securityGroupVerbs;
  readonly computed = {
    tags: tagsOf,
    shared: (group: SecurityGroupRecord, reader: Caller) => this.isShared(group, reader.project),
  };
  readonly isShared = (group: SecurityGroupRecord, project: string): boolean =>
    isOpenTo(this.#context.view.state, group, project);
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  find(id: string): Row<SecurityGroupRecord> | undefined {
    return this.#context.view.state.groups.get(id);
  }

  candidates(filters: Filters): Iterable<Row<SecurityGroupRecord>> {
    const { groups } = this.#context.view.state;
    return (
      rowsById(filters, (id) => groups.get(id)) ??
      rowsByIndex(filters, 'name', (name) => groups.by('name', name)) ??
      rowsByIndex(filters, 'project_id', (project) => groups.of(project)) ??
      groups.all()
    );
  }

  missing(id: string) {
    return { code: 'SecurityGroupNotFound', id } as const;
  }

  show(group: SecurityGroupRecord, reader: Caller): Record<string, unknown> {
    const { is_default: _, ...shown } = group;
    const { state } = this.#context.view;
    const rules = [...state.rules.by('group', group.id)];
    return {
      ...shown,
      tags: tagsOf(group),
      tenant_id: group.project_id,
      shared: this.isShared(group, reader.project),
      security_group_rules: rules.map((row) => showRule(row.record, group)),
    };
  }

  async prepareList(filters: Filters, caller: Caller): Promise<void> {
    await prepareDefaultGroups(this.#context, filters, caller);
  }

  lane(draft: Draft, caller: Caller): string {
    return quotaLane(ownerOf(draft, caller));
  }

  create(change: Change, drafts: readonly Draft[], caller: Caller): readonly SecurityGroupRecord[] {
    takeQuotaForEach(
      change,
      this.#context,
      'security_group',
      drafts.map((draft) => ownerOf(draft, caller)),
    );
    return drafts.map((draft) => {
      const asked = draft as unknown as GroupDraft;
      if (isDefaultName(asked.name)) refuse({ code: 'SecurityGroupDefaultAlreadyExists' });
      const project = ownerOf(draft, caller);
      ensureDefaultGroup(change, this.#context, project);
      const stateful = asked.stateful ?? isStatefulByDefault(this.#context.view.state, project);
      const birth = { id: this.#context.newId(), project, now: change.now };
      const group = newGroup(birth, { ...asked, stateful }, false);
      plantGroup(change, this.#context, group);
      return group;
    });
  }

  update(change: Change, row: Row<SecurityGroupRecord>, draft: Draft): SecurityGroupRecord {
    const before = row.record;
    const after = { ...before, ...(draft as Partial<GroupDraft>) };
    if (after.name !== before.name) {
      if (before.is_default) refuse({ code: 'SecurityGroupCannotUpdateDefault' });
      if (isDefaultName(after.name)) refuse({ code: 'SecurityGroupDefaultAlreadyExists' });
    }
    if (after.stateful !== before.stateful) this.#turn(change, after);
    return after;
  }

  remove(change: Change, row: Row<SecurityGroupRecord>, caller: Caller): void {
    const group = row.record;
    const { state } = this.#context.view;
    const { ports, rules, groups } = state;
    if (group.is_default && !caller.admin) refuse({ code: 'SecurityGroupCannotRemoveDefault' });
    if (ports.by('group', group.id).size > 0) refuse({ code: 'SecurityGroupInUse', id: group.id });
    change.requireQuiet(keys.groupUse.under(group.id));
    for (const rule of rules.by('group', group.id)) removeRule(change, rule);
    // Rules of other groups that name this one would otherwise admit nobody, silently.
    for (const rule of rules.by('remote', group.id)) {
      const owner = groups.get(rule.record.security_group_id);
      if (owner === undefined || owner.record.id === group.id) continue;
      removeRule(change, rule);
      change.replace(owner);
      change.put(owner.key, touched(owner.record, change.now));
    }
    if (group.is_default) change.remove(keys.defaultGroup(group.project_id));
    if (!group.stateful) change.remove(keys.statelessGroup(group.id));
    removePolicies(change, state, group.id);
    change.remove(row.key);
  }

  /** Connections of ports would be judged one way and their answers the other, so no port may have the group. */
  #turn(change: Change, group: SecurityGroupRecord): void {
    if (this.#context.view.state.ports.by('group', group.id).size > 0)
      refuse({ code: 'SecurityGroupInUse', id: group.id });
    change.requireQuiet(keys.groupUse.under(group.id));
    if (group.stateful) change.remove(keys.statelessGroup(group.id));
    else change.put(keys.statelessGroup(group.id), '');
  }
}
