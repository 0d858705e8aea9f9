/** A rule's record and its marks at the groups that it names, always written together. */
import { keys } from '../../model/keys.ts';
import type { SecurityGroupRuleRecord } from '../../model/records.ts';
import { addressGroupIdOf } from '../../model/security-group-rule.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { Row } from '../state/table.ts';
import { admit } from './admission.ts';

/** The mark at a group that the rule names; a group needs none of its own rules. */
function markOf(rule: SecurityGroupRuleRecord): string | null {
  const { id, security_group_id: own, remote_group_id: remote } = rule;
  const addresses = addressGroupIdOf(rule);
  if (addresses !== null) return keys.addressGroupUse(addresses, id);
  return remote === null || remote === own ? null : keys.groupUse(remote, id);
}

/** Refuses a rule that names a group which the caller may not use. Makes it a condition that the group exists. */
export function admitNamed(
  change: Change,
  state: State,
  caller: Caller,
  rule: SecurityGroupRuleRecord,
): void {
  const { security_group_id: own, remote_group_id: remote } = rule;
  const addresses = addressGroupIdOf(rule);
  if (remote !== null && remote !== own) {
    admit(change, state, caller, 'security_group', remote);
    change.requirePresent(keys.group(remote));
  }
  if (addresses !== null) {
    admit(change, state, caller, 'address_group', addresses);
    change.requirePresent(keys.addressGroup(addresses));
  }
}

export function writeRule(change: Change, rule: SecurityGroupRuleRecord): void {
  change.put(keys.rule(rule.security_group_id, rule.id), rule);
  const mark = markOf(rule);
  if (mark !== null) change.put(mark, '');
}

export function removeRule(change: Change, row: Row<SecurityGroupRuleRecord>): void {
  change.remove(row.key);
  const mark = markOf(row.record);
  if (mark !== null) change.remove(mark);
}
