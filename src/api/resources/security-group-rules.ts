/** Security-group rules: no two of a group say the same, and each is a revision of its group. */

import type { Draft } from '../../model/attribute.ts';
import { refuse } from '../../model/faults.ts';
import type { SecurityGroupRecord, SecurityGroupRuleRecord } from '../../model/records.ts';
import {
  newRule,
  type RuleDraft,
  ruleIdentity,
  securityGroupRuleAttributes,
  securityGroupRuleVerbs,
} from '../../model/security-group-rule.ts';
import { touched } from '../../model/standard-attributes.ts';
import { type Filters, rowsById, rowsByIndex } from '../http/filters.ts';
import { type Context, ownerOf, type Resource } from '../http/resource.ts';
import { isEverywhere } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { prepareDefaultGroups } from './default-group.ts';
import { quotaLane, takeQuotaForEach } from './quota-use.ts';
import { showRule } from './rule-view.ts';
import { admitNamed, removeRule, writeRule } from './rule-writes.ts';

export class SecurityGroupRules implements Resource<SecurityGroupRuleRecord> {
  readonly name = 'security_group_rule';
  readonly collection = 'security_group_rules';
  readonly path = 'security-group-rules';
  readonly table = securityGroupRuleAttributes;
  readonly verbs = securityGroupRuleVerbs;
  readonly parent = { type: 'security_group', attribute: 'security_group_id' } as const;
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  find(id: string): Row<SecurityGroupRuleRecord> | undefined {
    return this.#context.view.state.rules.get(id);
  }

  candidates(filters: Filters, caller: Caller): Iterable<Row<SecurityGroupRuleRecord>> {
    const { rules } = this.#context.view.state;
    return (
      rowsById(filters, (id) => rules.get(id)) ??
      rowsByIndex(filters, 'security_group_id', (group) => rules.by('group', group)) ??
      rowsByIndex(filters, 'remote_group_id', (group) => rules.by('remote', group)) ??
      rowsByIndex(filters, 'remote_address_group_id', (group) => rules.by('addresses', group)) ??
      rowsByIndex(filters, 'project_id', (project) => rules.of(project)) ??
      (isEverywhere(this.verbs.read, caller) ? rules.all() : this.#within(caller.project))
    );
  }

  /** A project's own rules and those of its groups. */
  #within(project: string): Iterable<Row<SecurityGroupRuleRecord>> {
    const { groups, rules } = this.#context.view.state;
    const rows = new Set(rules.of(project));
    for (const { record } of groups.of(project))
      for (const row of rules.by('group', record.id)) rows.add(row);
    return rows;
  }

  missing(id: string) {
    return { code: 'SecurityGroupRuleNotFound', id } as const;
  }

  show(rule: SecurityGroupRuleRecord): Record<string, unknown> {
    return showRule(rule, this.#context.view.state.groups.get(rule.security_group_id)?.record);
  }

  async prepareList(filters: Filters, caller: Caller): Promise<void> {
    await prepareDefaultGroups(this.#context, filters, caller);
  }

  lane(draft: Draft, caller: Caller): string {
    return quotaLane(ownerOf(draft, caller));
  }

  create(change: Change, drafts: readonly Draft[], caller: Caller): readonly SecurityGroupRuleRecord[] {
    takeQuotaForEach(
      change,
      this.#context,
      'security_group_rule',
      drafts.map((draft) => ownerOf(draft, caller)),
    );
    const asked = drafts.map((draft) => draft as unknown as RuleDraft);
    if (new Set(asked.map((draft) => draft.security_group_id)).size > 1) {
      refuse({ code: 'SecurityGroupNotSingleGroupRules' });
    }
    if (new Set(drafts.map((draft) => ownerOf(draft, caller))).size > 1) {
      refuse({ code: 'SecurityGroupRulesNotSingleProject' });
    }
    const { state } = this.#context.view;
    const id = asked[0]?.security_group_id ?? '';
    const created = asked.map((draft, at) => {
      const birth = {
        id: this.#context.newId(),
        project: ownerOf(drafts[at] ?? {}, caller),
        now: change.now,
      };
      return newRule(birth, draft);
    });
    const group = state.groups.get(id);
    if (group === undefined) return refuse({ code: 'SecurityGroupNotFound', id });
    const own = new Map<string, string>();
    for (const rule of created) {
      const identity = ruleIdentity(rule);
      if (own.has(identity)) refuse({ code: 'DuplicateSecurityGroupRuleInPost' });
      own.set(identity, rule.id);
      const [present] = state.rules.by('identity', identity);
      const twin = present?.record.id ?? change.ruled.get(identity);
      if (twin !== undefined) refuse({ code: 'SecurityGroupRuleExists', rule: twin });
      admitNamed(change, state, caller, rule);
      writeRule(change, rule);
    }
    for (const [identity, rule] of own) change.ruled.set(identity, rule);
    this.#touchGroup(change, group);
    return created;
  }

  remove(change: Change, row: Row<SecurityGroupRuleRecord>): void {
    removeRule(change, row);
    const group = this.#context.view.state.groups.get(row.record.security_group_id);
    if (group !== undefined) this.#touchGroup(change, group);
  }

  /**
   * Also what keeps two requests from adding the same rule, or a rule to a group that is being removed. However many
   * requests share the change, it is one revision of the group.
   */
  #touchGroup(change: Change, group: Row<SecurityGroupRecord>): void {
    change.replace(group);
    change.put(group.key, touched(group.record, change.now));
  }
}
