/** How a rule looks to a reader, by itself and inside its group. */
import type { SecurityGroupRecord, SecurityGroupRuleRecord } from '../../model/records.ts';
import { addressGroupIdOf, normalizedCidr } from '../../model/security-group-rule.ts';

export function showRule(
  rule: SecurityGroupRuleRecord,
  group: SecurityGroupRecord | undefined,
): Record<string, unknown> {
  return {
    ...rule,
    tenant_id: rule.project_id,
    remote_address_group_id: addressGroupIdOf(rule),
    normalized_cidr: normalizedCidr(rule),
    belongs_to_default_sg: group?.is_default ?? false,
  };
}
