/** Security groups: the rules for the default group, and what is removed together with a group. */

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
import { type Birth, touched } from '../../model/standard-attributes.ts';
import type { Capabilities } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { IndexNames, Row } from '../state/table.ts';
import { ensureDefaultGroup, plantGroup, prepareDefaultGroups } from './default-group.ts';
import { isStatefulByDefault } from './default-statefulness.ts';
import { showRule } from './rule-view.ts';
import { removeRule } from './rule-writes.ts';
import { removePolicies } from './sharing.ts';
import { StoredResource } from './stored-resource.ts';

export class SecurityGroups extends StoredResource<
  SecurityGroupRecord,
  typeof securityGroupAttributes,
  IndexNames<State['groups']>
> {
  override readonly name = 'security_group';
  override readonly collection = 'security_groups';
  override readonly path = 'security-groups';
  override readonly table = securityGroupAttributes;
  override readonly verbs = securityGroupVerbs;
  protected override readonly missingCode = 'SecurityGroupNotFound';
  protected override readonly rowsIn = (state: State) => state.groups;
  protected override readonly indexes = { name: 'name' } as const;
  override readonly capabilities: Capabilities<SecurityGroupRecord, typeof securityGroupAttributes> = {
    update: (change, { record }, patch) => this.#updated(change, record, { ...record, ...patch }),
    tags: {},
    sharing: this.byPolicies,
    quota: { counts: 'security_group', batched: true },
    prepareList: (filters, caller) => prepareDefaultGroups(this.context, filters, caller),
  };

  override show(group: SecurityGroupRecord, reader: Caller) {
    const { is_default: _, ...shown } = super.show(group, reader);
    const rules = [...this.state.rules.by('group', group.id)];
    return { ...shown, security_group_rules: rules.map((row) => showRule(row.record, group)) };
  }

  protected override createOne(change: Change, draft: GroupDraft, birth: Birth): SecurityGroupRecord {
    if (isDefaultName(draft.name)) refuse({ code: 'SecurityGroupDefaultAlreadyExists' });
    ensureDefaultGroup(change, this.context, birth.project);
    const stateful = draft.stateful ?? isStatefulByDefault(this.state, birth.project);
    const group = newGroup(birth, { ...draft, stateful }, false);
    plantGroup(change, this.context, group);
    return group;
  }

  #updated(change: Change, before: SecurityGroupRecord, after: SecurityGroupRecord): SecurityGroupRecord {
    if (after.name !== before.name) {
      if (before.is_default) refuse({ code: 'SecurityGroupCannotUpdateDefault' });
      if (isDefaultName(after.name)) refuse({ code: 'SecurityGroupDefaultAlreadyExists' });
    }
    if (after.stateful !== before.stateful) this.#turn(change, after);
    return after;
  }

  override remove(change: Change, row: Row<SecurityGroupRecord>, caller: Caller): void {
    const group = row.record;
    const { state } = this;
    const { ports, rules, groups } = state;
    if (group.is_default && !caller.admin) refuse({ code: 'SecurityGroupCannotRemoveDefault' });
    if (ports.by('group', group.id).size > 0) refuse({ code: 'SecurityGroupInUse', id: group.id });
    change.requireQuiet(keys.groupUse.under(group.id));
    for (const rule of rules.by('group', group.id)) removeRule(change, rule);
    // Otherwise rules of other groups that name this one would stay and match nothing.
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

  /** A port's connections began under the old statefulness, so no port may have the group. */
  #turn(change: Change, group: SecurityGroupRecord): void {
    if (this.state.ports.by('group', group.id).size > 0) refuse({ code: 'SecurityGroupInUse', id: group.id });
    change.requireQuiet(keys.groupUse.under(group.id));
    if (group.stateful) change.remove(keys.statelessGroup(group.id));
    else change.put(keys.statelessGroup(group.id), '');
  }
}
