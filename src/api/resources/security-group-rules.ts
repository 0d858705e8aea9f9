/** Security-group rules: a group has no two equal rules, and adding or removing one is a revision of the group. */

import { refuse } from '../../model/faults.ts';
import type { SecurityGroupRecord, SecurityGroupRuleRecord } from '../../model/records.ts';
import {
  newRule,
  type RuleDraft,
  ruleIdentity,
  securityGroupRuleAttributes,
  securityGroupRuleVerbs,
} from '../../model/security-group-rule.ts';
import { type Birth, touched } from '../../model/standard-attributes.ts';
import { type Capabilities, ownerOf } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { IndexNames, Row } from '../state/table.ts';
import { prepareDefaultGroups } from './default-group.ts';
import { showRule } from './rule-view.ts';
import { admitNamed, removeRule, writeRule } from './rule-writes.ts';
import { StoredResource } from './stored-resource.ts';

export class SecurityGroupRules extends StoredResource<
  SecurityGroupRuleRecord,
  typeof securityGroupRuleAttributes,
  IndexNames<State['rules']>
> {
  override readonly name = 'security_group_rule';
  override readonly collection = 'security_group_rules';
  override readonly path = 'security-group-rules';
  override readonly table = securityGroupRuleAttributes;
  override readonly verbs = securityGroupRuleVerbs;
  protected override readonly missingCode = 'SecurityGroupRuleNotFound';
  protected override readonly rowsIn = (state: State) => state.rules;
  protected override readonly indexes = {
    security_group_id: 'group',
    remote_group_id: 'remote',
    remote_address_group_id: 'addresses',
  } as const;
  protected override readonly ofParent = 'group';
  override readonly capabilities: Capabilities<SecurityGroupRuleRecord, typeof securityGroupRuleAttributes> =
    {
      parent: { type: 'security_group', attribute: 'security_group_id' },
      quota: { counts: 'security_group_rule', batched: true },
      prepareList: (filters, caller) => prepareDefaultGroups(this.context, filters, caller),
    };

  override show(rule: SecurityGroupRuleRecord) {
    return showRule(rule, this.state.groups.get(rule.security_group_id)?.record);
  }

  protected override createOne(_change: Change, draft: RuleDraft, birth: Birth): SecurityGroupRuleRecord {
    return newRule(birth, draft);
  }

  /** All rules of one request are of one group and one project. */
  override create(
    change: Change,
    drafts: readonly RuleDraft[],
    caller: Caller,
  ): readonly SecurityGroupRuleRecord[] {
    const [first] = drafts;
    if (drafts.some((draft) => draft.security_group_id !== first?.security_group_id))
      refuse({ code: 'SecurityGroupNotSingleGroupRules' });
    if (new Set(drafts.map((draft) => ownerOf(draft, caller))).size > 1)
      refuse({ code: 'SecurityGroupRulesNotSingleProject' });
    const id = first?.security_group_id ?? '';
    const created = super.create(change, drafts, caller);
    const group = this.state.groups.get(id);
    if (group === undefined) return refuse({ code: 'SecurityGroupNotFound', id });
    const own = new Map<string, string>();
    for (const rule of created) {
      const identity = ruleIdentity(rule);
      if (own.has(identity)) refuse({ code: 'DuplicateSecurityGroupRuleInPost' });
      own.set(identity, rule.id);
      const [present] = this.state.rules.by('identity', identity);
      const twin = present?.record.id ?? change.ruled.get(identity);
      if (twin !== undefined) refuse({ code: 'SecurityGroupRuleExists', rule: twin });
      admitNamed(change, this.state, caller, rule);
      writeRule(change, rule);
    }
    for (const [identity, rule] of own) change.ruled.set(identity, rule);
    this.#touchGroup(change, group);
    return created;
  }

  override remove(change: Change, row: Row<SecurityGroupRuleRecord>): void {
    removeRule(change, row);
    const group = this.state.groups.get(row.record.security_group_id);
    if (group !== undefined) this.#touchGroup(change, group);
  }

  /**
   * So two requests cannot add the same rule, or a rule to a group that is being removed. Requests that share the change
   * are one revision of the group.
   */
  #touchGroup(change: Change, group: Row<SecurityGroupRecord>): void {
    change.replace(group);
    change.put(group.key, touched(group.record, change.now));
  }
}
