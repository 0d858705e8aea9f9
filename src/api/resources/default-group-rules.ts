/** The templates of the rules that new security groups begin with: nobody's, and no group that exists follows them. */
import type { Draft } from '../../model/attribute.ts';
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
import { type Filters, rowsById } from '../http/filters.ts';
import type { Context, Resource } from '../http/resource.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';

/** Puts the first templates into a store that never had any; what an administrator removed stays away. */
export async function plantDefaultGroupRules({ committer, view, newId }: Context): Promise<void> {
  await committer.commit((change) => {
    if (view.state.hasDefaultGroupRules) return;
    change.requireAbsent(keys.defaultGroupRulesPlanted());
    change.put(keys.defaultGroupRulesPlanted(), '');
    for (const rule of firstDefaultGroupRules(newId)) change.put(keys.defaultGroupRule(rule.id), rule);
  });
}

export class DefaultGroupRules implements Resource<DefaultGroupRuleRecord> {
  readonly name = 'default_security_group_rule';
  readonly collection = 'default_security_group_rules';
  readonly path = 'default-security-group-rules';
  readonly table = defaultGroupRuleAttributes;
  readonly verbs = defaultGroupRuleVerbs;
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  find(id: string): Row<DefaultGroupRuleRecord> | undefined {
    return this.#context.view.state.defaultGroupRules.get(id);
  }

  candidates(filters: Filters): Iterable<Row<DefaultGroupRuleRecord>> {
    const { defaultGroupRules } = this.#context.view.state;
    return rowsById(filters, (id) => defaultGroupRules.get(id)) ?? defaultGroupRules.all();
  }

  missing(id: string) {
    return { code: 'DefaultSecurityGroupRuleNotFound', id } as const;
  }

  show(rule: DefaultGroupRuleRecord): Record<string, unknown> {
    const { project_id: _project, shared: _shared, ...shown } = rule;
    return shown;
  }

  create(change: Change, drafts: readonly Draft[]): readonly DefaultGroupRuleRecord[] {
    const { state } = this.#context.view;
    const created: DefaultGroupRuleRecord[] = [];
    change.requireQuiet(keys.defaultGroupRule(''));
    change.claim(keys.defaultGroupRule(''));
    for (const draft of drafts) {
      const rule = newDefaultGroupRule(this.#context.newId(), draft as unknown as DefaultGroupRuleDraft);
      this.#requireNamed(rule);
      if (created.some((other) => clash(other, rule))) refuse({ code: 'DuplicateDefaultSgRuleInPost' });
      for (const { record } of state.defaultGroupRules.all())
        if (clash(record, rule)) refuse({ code: 'DefaultSecurityGroupRuleExists', rule: record.id });
      change.put(keys.defaultGroupRule(rule.id), rule);
      created.push(rule);
    }
    return created;
  }

  remove(change: Change, row: Row<DefaultGroupRuleRecord>): void {
    change.remove(row.key);
  }

  /** What a template names may go later; groups are then made without its rule. */
  #requireNamed({
    remote_group_id: group,
    remote_address_group_id: addresses,
  }: DefaultGroupRuleRecord): void {
    const { state } = this.#context.view;
    if (group !== null && group !== parentGroup && state.groups.get(group) === undefined)
      refuse({ code: 'SecurityGroupNotFound', id: group });
    if (addresses !== null && state.addressGroups.get(addresses) === undefined)
      refuse({ code: 'AddressGroupNotFound', id: addresses });
  }
}
