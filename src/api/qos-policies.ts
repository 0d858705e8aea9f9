/** QoS policies: one default a project, none removed while it is used. Their rules have paths of their own. */
import type { Draft } from '../model/attribute.ts';
import { refuse } from '../model/faults.ts';
import { keys } from '../model/keys.ts';
import { newQosPolicy, type QosPolicyDraft, qosPolicyAttributes } from '../model/qos-policy.ts';
import type { QosPolicyRecord } from '../model/records.ts';
import type { Caller } from './caller.ts';
import type { Change } from './change.ts';
import { type Filters, rowsById, rowsByIndex } from './filters.ts';
import { type Context, ownerOf, type Resource } from './resource.ts';
import type { Row } from './table.ts';

export class QosPolicies implements Resource<QosPolicyRecord> {
  readonly name = 'policy';
  readonly collection = 'policies';
  readonly path = 'qos/policies';
  readonly table = qosPolicyAttributes;
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  find(id: string): Row<QosPolicyRecord> | undefined {
    return this.#context.view.state.qosPolicies.get(id);
  }

  candidates(filters: Filters): Iterable<Row<QosPolicyRecord>> {
    const { qosPolicies } = this.#context.view.state;
    return (
      rowsById(filters, (id) => qosPolicies.get(id)) ??
      rowsByIndex(filters, 'name', (name) => qosPolicies.by('name', name)) ??
      qosPolicies.all()
    );
  }

  missing(id: string) {
    return { code: 'QosPolicyNotFound', id } as const;
  }

  show(policy: QosPolicyRecord): Record<string, unknown> {
    return {
      ...policy,
      tenant_id: policy.project_id,
      rules: policy.rules.map((rule) => ({ ...rule, qos_policy_id: policy.id })),
    };
  }

  create(change: Change, drafts: readonly Draft[], caller: Caller): readonly QosPolicyRecord[] {
    return drafts.map((draft) => {
      const birth = { id: this.#context.newId(), project: ownerOf(draft, caller), now: change.now };
      const policy = newQosPolicy(birth, draft as unknown as QosPolicyDraft);
      this.#writeDefault(change, null, policy);
      change.put(keys.qosPolicy(policy.id), policy);
      return policy;
    });
  }

  update(_change: Change, row: Row<QosPolicyRecord>, draft: Draft): QosPolicyRecord {
    return { ...row.record, ...(draft as Partial<QosPolicyDraft>) };
  }

  write(change: Change, before: QosPolicyRecord, after: QosPolicyRecord): void {
    this.#writeDefault(change, before, after);
    change.put(keys.qosPolicy(after.id), after);
  }

  remove(change: Change, row: Row<QosPolicyRecord>): void {
    const { id } = row.record;
    const { networks, ports } = this.#context.view.state;
    for (const [user, rows] of [
      ['port', ports.by('qos', id)],
      ['network', networks.by('qos', id)],
    ] as const) {
      for (const { record } of rows) refuse({ code: 'QosPolicyInUse', id, user, by: record.id });
    }
    change.requireQuiet(keys.qosPolicyUses(id));
    this.#writeDefault(change, row.record, null);
    change.remove(row.key);
  }

  /** The key that only one policy of a project can have. */
  #writeDefault(change: Change, before: QosPolicyRecord | null, after: QosPolicyRecord | null): void {
    const project = after?.project_id ?? before?.project_id ?? '';
    const key = keys.defaultQosPolicy(project);
    const [was, is] = [before?.is_default ?? false, after?.is_default ?? false];
    if (was && !is) change.remove(key);
    if (was || !is || after === null) return;
    const taken = this.#context.view.state.qosPolicies.by('default', project).size > 0;
    if (taken || !change.claim(key)) refuse({ code: 'QoSPolicyDefaultAlreadyExists', project });
    change.requireAbsent(key);
    change.put(key, after.id);
  }
}
