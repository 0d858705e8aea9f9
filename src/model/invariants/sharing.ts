/** What holds of policies that share, of QoS policies and of quotas. */

import { keys } from '../keys.ts';
import { type QuotaRecord, quotaResources } from '../quota.ts';
import { grantsSame } from '../rbac-policy.ts';
import type { QosPolicyRecord, QosRuleRecord, RbacPolicyRecord } from '../records.ts';
import { type Invariant, twins } from './invariant.ts';
import type { Kind } from './kind.ts';
import {
  addressGroups,
  addressScopes,
  groups,
  networks,
  qosPolicies,
  quotas,
  quotaUses,
  rbacPolicies,
  subnetPools,
} from './kinds.ts';

const shared: Readonly<Record<RbacPolicyRecord['object_type'], Kind<unknown>>> = {
  network: networks,
  security_group: groups,
  address_group: addressGroups,
  qos_policy: qosPolicies,
  subnetpool: subnetPools,
  address_scope: addressScopes,
};

export const rbacPolicyInvariant: Invariant<RbacPolicyRecord> = {
  kind: rbacPolicies,
  *problems({ record: { object_type: type, object_id: id } }, image) {
    if (image.byId(shared[type], id) === undefined) yield `${type} ${id} does not exist`;
  },
  *together(all) {
    const byObject = new Map<string, { key: string; record: RbacPolicyRecord }[]>();
    for (const { key, record } of all) {
      const siblings = byObject.get(record.object_id) ?? [];
      for (const other of siblings)
        if (grantsSame(other.record, record)) yield [key, `it grants the same as ${other.key}`];
      byObject.set(record.object_id, [...siblings, { key, record }]);
    }
  },
};

/** None in records of before QoS. */
export const qosPolicyOf = (user: { readonly qos_policy_id?: string | null }): string | null =>
  user.qos_policy_id ?? null;

const kindOf = (rule: QosRuleRecord): string =>
  rule.type === 'dscp_marking' ? rule.type : `${rule.type} ${rule.direction}`;

export const qosPolicyInvariant: Invariant<QosPolicyRecord> = {
  kind: qosPolicies,
  *problems({ record: { rules } }) {
    const kinds = rules.map(kindOf);
    if (new Set(kinds).size !== kinds.length) yield 'it has two rules of one kind and direction';
  },
  *marks(policy) {
    if (policy.is_default) yield [keys.defaultQosPolicy(policy.project_id), policy.id];
  },
  together: (all) =>
    twins(
      all,
      ({ rules }) => rules.map(({ id }) => id),
      (id, other) => `rule ${id} is in ${other} too`,
    ),
};

const counted: ReadonlySet<string> = new Set(quotaResources);

export const quotaInvariant: Invariant<QuotaRecord> = {
  kind: quotas,
  *problems({ record, parts }) {
    if (record.project_id !== parts['project']) yield `it speaks of project ${record.project_id}`;
    for (const name of Object.keys(record.limits)) if (!counted.has(name)) yield `${name} is not counted`;
  },
};

export const quotaUseInvariant: Invariant<string> = {
  kind: quotaUses,
  *problems({ parts }) {
    if (!counted.has(parts['resource'] ?? '')) yield `${parts['resource']} is not counted`;
  },
};
