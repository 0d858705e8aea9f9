/** The default security group of a project: created when first needed, and only once. */
import { projectId } from '../../model/checks.ts';
import { appliesTo, parentGroup, ruleOfTemplate } from '../../model/default-group-rule.ts';
import { keys } from '../../model/keys.ts';
import type { SecurityGroupRecord } from '../../model/records.ts';
import { defaultGroupName, newGroup } from '../../model/security-group.ts';
import { type Filters, wantedOf } from '../http/filters.ts';
import type { Context } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import { takeQuota } from '../state/quota-use.ts';
import { isStatefulByDefault } from './default-statefulness.ts';
import { writeRule } from './rule-writes.ts';

/** Puts a group with its first rules on the change; they count against the project's quota of rules. */
export function plantGroup(change: Change, context: Context, group: SecurityGroupRecord): void {
  change.put(keys.group(group.id), group);
  if (!group.stateful) change.put(keys.statelessGroup(group.id), '');
  const rules = firstRules(change, context, group);
  takeQuota(change, context, group.project_id, { security_group_rule: rules.length });
  for (const rule of rules) writeRule(change, rule);
}

/** A rule of each template for such groups. Templates that name a deleted group are skipped. */
function firstRules(change: Change, { view: { state }, newId }: Context, group: SecurityGroupRecord) {
  const rules = [...state.defaultGroupRules.all()]
    .map((row) => row.record)
    .filter((template) => appliesTo(template, group))
    .filter(({ remote_group_id: remote, remote_address_group_id: addresses }) => {
      const named = remote === null || remote === parentGroup || state.groups.get(remote) !== undefined;
      return named && (addresses === null || state.addressGroups.get(addresses) !== undefined);
    })
    .map((template) => ruleOfTemplate(template, group, newId(), change.now));
  for (const { remote_group_id: remote, remote_address_group_id: addresses } of rules) {
    if (remote !== null && remote !== group.id) change.requirePresent(keys.group(remote));
    if (addresses !== null) change.requirePresent(keys.addressGroup(addresses));
  }
  return rules;
}

/** The id of the project's default group; the change creates it when it is not there. */
export function ensureDefaultGroup(change: Change, context: Context, project: string): string {
  const known = context.view.state.defaultGroups.get(project) ?? change.planted.get(project);
  if (known !== undefined) return known;
  const birth = { id: context.newId(), project, now: change.now };
  const stateful = isStatefulByDefault(context.view.state, project);
  const draft = { name: defaultGroupName, description: 'Default security group', stateful };
  change.requireAbsent(keys.defaultGroup(project));
  change.put(keys.defaultGroup(project), birth.id);
  plantGroup(change, context, newGroup(birth, draft, true));
  change.planted.set(project, birth.id);
  return birth.id;
}

/** Creates the default group of the project that a list filters by. The project may be new: there is no list of projects. */
export async function prepareDefaultGroups(
  context: Context,
  filters: Filters,
  caller: Caller,
): Promise<void> {
  // Of several projects Neutron takes the first.
  const [project = caller.project] = wantedOf(filters, 'project_id') ?? [];
  if (context.view.state.defaultGroups.has(project) || projectId(project) !== null) return;
  if (project !== caller.project && !caller.admin && !caller.service) return;
  await context.committer.commit((change) => {
    ensureDefaultGroup(change, context, project);
  });
}
