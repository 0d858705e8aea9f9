/** QoS policies: one default a project, none removed while it is used. Their rules have paths of their own. */
import type { Draft } from '../../model/attribute.ts';
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import {
  newQosPolicy,
  type QosPolicyDraft,
  qosPolicyAttributes,
  qosPolicyVerbs,
} from '../../model/qos-policy.ts';
import type { QosPolicyRecord } from '../../model/records.ts';
import { isSharedWith } from '../../model/sharing.ts';
import { tagsOf } from '../../model/tags.ts';
import { type Filters, rowsById, rowsByIndex } from '../http/filters.ts';
import { type Context, ownerOf, type Resource } from '../http/resource.ts';
import { Access, seenPlace } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { Ports } from './ports.ts';
import { isOpenTo, policiesOf, removePolicies, shareWithAll } from './sharing.ts';

export class QosPolicies implements Resource<QosPolicyRecord> {
  readonly name = 'policy';
  readonly collection = 'policies';
  readonly path = 'qos/policies';
  readonly table = qosPolicyAttributes;
  readonly verbs = qosPolicyVerbs;
  /** Rules are the administrator's; tags are anyone's who may use the policy, as in Neutron. */
  readonly tagging = ['admin', 'member', 'shared'] as const;
  /** Neutron has them here only; clients look for them under the policy's own path. */
  readonly tagAliases = ['policies'];
  readonly replaced = new Set(['shared']);
  readonly computed = { tags: tagsOf };
  readonly isShared = (policy: QosPolicyRecord, project: string): boolean =>
    isOpenTo(this.#context.view.state, policy, project);
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

  show(policy: QosPolicyRecord, reader: Caller): Record<string, unknown> {
    return {
      ...policy,
      shared: this.isShared(policy, reader.project),
      tags: tagsOf(policy),
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
      if (policy.shared) shareWithAll(change, this.#context, 'qos_policy', policy);
      return policy;
    });
  }

  update(change: Change, row: Row<QosPolicyRecord>, draft: Draft): QosPolicyRecord {
    if (draft['shared'] === false) this.#unshare(change, row.record);
    if (draft['shared'] === true && !row.record.shared)
      shareWithAll(change, this.#context, 'qos_policy', row.record);
    return { ...row.record, ...(draft as Partial<QosPolicyDraft>) };
  }

  write(change: Change, before: QosPolicyRecord, after: QosPolicyRecord): void {
    this.#writeDefault(change, before, after);
    change.put(keys.qosPolicy(after.id), after);
  }

  remove(change: Change, row: Row<QosPolicyRecord>, caller: Caller): void {
    const { id } = row.record;
    this.#requireUnused(id, caller);
    change.requireQuiet(keys.qosPolicyUse.under(id));
    this.#writeDefault(change, row.record, null);
    removePolicies(change, this.#context.view.state, id);
    change.remove(row.key);
  }

  /** Names a user that the caller knows; what is another project's is named to nobody else. */
  #requireUnused(id: string, caller: Caller): void {
    const { state } = this.#context.view;
    const ports = new Access(new Ports(this.#context), () => state);
    const users = [
      ...[...state.ports.by('qos', id)].map(({ record }) => ({ kind: 'port' as const, id: record.id })),
      ...[...state.networks.by('qos', id)].map(({ record }) => ({ kind: 'network' as const, id: record.id })),
    ];
    const [first] = users;
    if (first === undefined) return;
    const known = users.find((user) =>
      user.kind === 'port' ? ports.seen(caller, user.id) : seenPlace(state, caller, 'network', user.id),
    );
    refuse({ code: 'QosPolicyInUse', id, user: (known ?? first).kind, by: known?.id ?? null });
  }

  /**
   * Shared with all, by attribute or by policy, it is no more; projects that a policy names stay. As in Neutron, even
   * the owner's own use keeps it shared.
   */
  #unshare(change: Change, policy: QosPolicyRecord): void {
    const { networks, ports, rbacPolicies } = this.#context.view.state;
    const open = [...rbacPolicies.by('object', policy.id)].filter((row) => row.record.target_tenant === '*');
    if (!policy.shared && open.length === 0) return;
    for (const row of open) {
      change.replace(row);
      change.remove(row.key);
    }
    change.requireQuiet(keys.qosPolicyUse.under(policy.id));
    const kept = policiesOf(this.#context.view.state, policy.id).filter(
      ({ target_tenant: target }) => target !== '*',
    );
    for (const { record } of [...ports.by('qos', policy.id), ...networks.by('qos', policy.id)]) {
      const user = record.project_id;
      if (!isSharedWith(user, kept)) refuse({ code: 'RbacPolicyInUse', object: policy.id, user });
    }
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
