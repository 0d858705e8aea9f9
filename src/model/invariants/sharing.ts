/** What holds of policies that share, of QoS policies and of quotas. */

import type { Kind } from '../key-kind.ts';
import { keys } from '../keys.ts';
import { quotaResources } from '../quota.ts';
import { grantsSame } from '../rbac-policy.ts';
import type { QosRuleRecord, RbacPolicyRecord } from '../records.ts';
import { type Invariant, invariantOf, twins } from './invariant.ts';

const shared: Readonly<Record<RbacPolicyRecord['object_type'], Kind<unknown>>> = {
  network: keys.network,
  security_group: keys.group,
  address_group: keys.addressGroup,
  qos_policy: keys.qosPolicy,
  subnetpool: keys.subnetPool,
  address_scope: keys.addressScope,
};

const rbacPolicyInvariant = invariantOf(keys.rbacPolicy, {
  *problems({ record: { object_type: type, object_id: id } }, snapshot) {
    if (snapshot.byId(shared[type], id) === undefined) yield `${type} ${id} does not exist`;
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
});

const kindOf = (rule: QosRuleRecord): string =>
  rule.type === 'dscp_marking' ? rule.type : `${rule.type} ${rule.direction}`;

const qosPolicyInvariant = invariantOf(keys.qosPolicy, {
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
});

const counted: ReadonlySet<string> = new Set(quotaResources);

const quotaInvariant = invariantOf(keys.quota, {
  *problems({ record, parts }) {
    if (record.project_id !== parts.project) yield `it speaks of project ${record.project_id}`;
    for (const name of Object.keys(record.limits)) if (!counted.has(name)) yield `${name} is not counted`;
  },
});

const quotaUseInvariant = invariantOf(keys.quotaUse, {
  *problems({ parts }) {
    if (!counted.has(parts.resource)) yield `${parts.resource} is not counted`;
  },
});

export const sharingInvariants: readonly Invariant[] = [
  rbacPolicyInvariant,
  qosPolicyInvariant,
  quotaInvariant,
  quotaUseInvariant,
];
