/** QoS policies: one default a project, none removed while it is used. Their rules have paths of their own. */
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
import type { Birth } from '../../model/standard-attributes.ts';
import type { Capabilities } from '../http/resource.ts';
import { Access, seenPlace } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { IndexNames, Row } from '../state/table.ts';
import { Ports } from './ports.ts';
import { policiesOf, removePolicies, shareWithAll } from './sharing.ts';
import { StoredResource } from './stored-resource.ts';

export class QosPolicies extends StoredResource<
  QosPolicyRecord,
  typeof qosPolicyAttributes,
  IndexNames<State['qosPolicies']>
> {
  override readonly name = 'policy';
  override readonly collection = 'policies';
  override readonly path = 'qos/policies';
  override readonly table = qosPolicyAttributes;
  override readonly verbs = qosPolicyVerbs;
  protected override readonly missingCode = 'QosPolicyNotFound';
  protected override readonly rowsIn = (state: State) => state.qosPolicies;
  protected override readonly indexes = { name: 'name' } as const;
  override readonly capabilities: Capabilities<QosPolicyRecord, typeof qosPolicyAttributes> = {
    update: (change, { record }, patch) => {
      if (patch.shared === false) this.#unshare(change, record);
      if (patch.shared === true && !record.shared) shareWithAll(change, this.context, 'qos_policy', record);
      return { ...record, ...patch };
    },
    tags: {
      // Neutron has them under this path only; clients look for them under the policy's own path.
      aliases: ['policies'],
      // Rules are the administrator's; who may use the policy may tag it, as in Neutron.
      rule: ['admin', 'member', 'shared'],
    },
    sharing: this.byPolicies,
  };

  override show(policy: QosPolicyRecord, reader: Caller) {
    const rules = policy.rules.map((rule) => ({ ...rule, qos_policy_id: policy.id }));
    return { ...super.show(policy, reader), rules };
  }

  protected override createOne(change: Change, draft: QosPolicyDraft, birth: Birth): QosPolicyRecord {
    const policy = newQosPolicy(birth, draft);
    this.#writeDefault(change, null, policy);
    change.put(keys.qosPolicy(policy.id), policy);
    if (policy.shared) shareWithAll(change, this.context, 'qos_policy', policy);
    return policy;
  }

  override write(change: Change, before: Row<QosPolicyRecord>, after: QosPolicyRecord): void {
    this.#writeDefault(change, before.record, after);
    super.write(change, before, after);
  }

  override remove(change: Change, row: Row<QosPolicyRecord>, caller: Caller): void {
    const { id } = row.record;
    this.#requireUnused(id, caller);
    change.requireQuiet(keys.qosPolicyUse.under(id));
    this.#writeDefault(change, row.record, null);
    removePolicies(change, this.state, id);
    change.remove(row.key);
  }

  /** Names a user of the policy that the caller sees; users of other projects are not named. */
  #requireUnused(id: string, caller: Caller): void {
    const { state } = this.context.view;
    const ports = new Access(new Ports(this.context), this.context.view);
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
   * Ends the sharing with all projects, by attribute and by policy. Projects that a policy names keep their access. As in
   * Neutron, even the owner's own use prevents it.
   */
  #unshare(change: Change, policy: QosPolicyRecord): void {
    const { networks, ports, rbacPolicies } = this.state;
    const open = [...rbacPolicies.by('object', policy.id)].filter((row) => row.record.target_tenant === '*');
    if (!policy.shared && open.length === 0) return;
    for (const row of open) {
      change.replace(row);
      change.remove(row.key);
    }
    change.requireQuiet(keys.qosPolicyUse.under(policy.id));
    const kept = policiesOf(this.state, policy.id).filter(({ target_tenant: target }) => target !== '*');
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
    const taken = this.state.qosPolicies.by('default', project).size > 0;
    if (taken || !change.claim(key)) refuse({ code: 'QoSPolicyDefaultAlreadyExists', project });
    change.requireAbsent(key);
    change.put(key, after.id);
  }
}
