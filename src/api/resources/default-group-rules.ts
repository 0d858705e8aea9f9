/** The templates of the rules of new security groups. They have no project, and a change of one changes no existing group. */
import {
  clash,
  type DefaultGroupRuleDraft,
  defaultGroupRuleAttributes,
  defaultGroupRuleVerbs,
  firstDefaultGroupRules,
  newDefaultGroupRule,
  parentGroup,
} from '../../model/default-group-rule.ts';
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import type { DefaultGroupRuleRecord } from '../../model/records.ts';
import type { Birth } from '../../model/standard-attributes.ts';
import type { Context } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { Row } from '../state/table.ts';
import { StoredResource } from './stored-resource.ts';

/** Writes the first templates into a store that never had any. Templates that an administrator removed are not written again. */
export async function plantDefaultGroupRules({ committer, view, newId }: Context): Promise<void> {
  await committer.commit((change) => {
    if (view.state.hasDefaultGroupRules) return;
    change.requireAbsent(keys.defaultGroupRulesPlanted());
    change.put(keys.defaultGroupRulesPlanted(), '');
    for (const rule of firstDefaultGroupRules(newId)) change.put(keys.defaultGroupRule(rule.id), rule);
  });
}

export class DefaultGroupRules extends StoredResource<
  DefaultGroupRuleRecord,
  typeof defaultGroupRuleAttributes
> {
  override readonly name = 'default_security_group_rule';
  override readonly collection = 'default_security_group_rules';
  override readonly path = 'default-security-group-rules';
  override readonly table = defaultGroupRuleAttributes;
  override readonly verbs = defaultGroupRuleVerbs;
  protected override readonly missingCode = 'DefaultSecurityGroupRuleNotFound';
  protected override readonly rowsIn = (state: State) => state.defaultGroupRules;
  override show(rule: DefaultGroupRuleRecord) {
    const { project_id: _project, shared: _shared, ...shown } = rule;
    return shown;
  }

  protected override createOne(
    change: Change,
    draft: DefaultGroupRuleDraft,
    { id }: Birth,
    _caller: Caller,
    created: readonly DefaultGroupRuleRecord[],
  ): DefaultGroupRuleRecord {
    const every = keys.defaultGroupRule.prefix;
    change.requireQuiet(every);
    change.claim(every);
    const rule = newDefaultGroupRule(id, draft);
    this.#requireNamed(rule);
    if (created.some((other) => clash(other, rule))) refuse({ code: 'DuplicateDefaultSgRuleInPost' });
    for (const { record } of this.state.defaultGroupRules.all())
      if (clash(record, rule)) refuse({ code: 'DefaultSecurityGroupRuleExists', rule: record.id });
    change.put(keys.defaultGroupRule(rule.id), rule);
    return rule;
  }

  override remove(change: Change, row: Row<DefaultGroupRuleRecord>): void {
    change.remove(row.key);
  }

  /** A group that a template names may be deleted later; new groups then get no rule of the template. */
  #requireNamed({
    remote_group_id: group,
    remote_address_group_id: addresses,
  }: DefaultGroupRuleRecord): void {
    const { state } = this;
    if (group !== null && group !== parentGroup && state.groups.get(group) === undefined)
      refuse({ code: 'SecurityGroupNotFound', id: group });
    if (addresses !== null && state.addressGroups.get(addresses) === undefined)
      refuse({ code: 'AddressGroupNotFound', id: addresses });
  }
}
