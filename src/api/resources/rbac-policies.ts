/**
 * RBAC policies: each change of one is also a revision of its object. So two requests cannot create the same policy, and no
 * policy outlives its object.
 */
import { invalidInput, refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import { missing } from '../../model/missing.ts';
import {
  grantsSame,
  newRbacPolicy,
  type RbacPolicyDraft,
  rbacPolicyAttributes,
  rbacPolicyVerbs,
  type SharedType,
} from '../../model/rbac-policy.ts';
import type { NetworkRecord, RbacPolicyRecord } from '../../model/records.ts';
import { shutOut } from '../../model/sharing.ts';
import { type Birth, type Owned, restamped, touched } from '../../model/standard-attributes.ts';
import type { Capabilities } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { IndexNames, Row } from '../state/table.ts';
import {
  accessAsExternal,
  isExternal,
  requireNoGateways,
  withPolicies,
  writeDefault,
} from './external-networks.ts';
import { keepGatewaysIn } from './router-admission.ts';
import { shareables } from './shareables.ts';
import { isForAll, isOpenTo, policiesOf, sharedAs } from './sharing.ts';
import { StoredResource } from './stored-resource.ts';

/** The users of shared objects. */
interface Uses {
  /** The prefix under which each new use of the object is written. */
  readonly uses: (id: string) => string;
  readonly users: (state: State, id: string) => Iterable<Row<Owned>>;
}

const usesOfType: Readonly<Record<SharedType, Uses>> = {
  network: {
    uses: (id) => keys.port(id, ''),
    users: (state, id) => state.ports.by('network', id),
  },
  security_group: {
    uses: keys.groupUse.under,
    users: (state, id) => state.ports.by('group', id),
  },
  address_group: {
    uses: keys.addressGroupUse.under,
    users: (state, id) => state.rules.by('addresses', id),
  },
  subnetpool: {
    uses: keys.subnetPoolUse.under,
    users: (state, id) => state.subnets.by('pool', id),
  },
  address_scope: {
    uses: keys.addressScopeUse.under,
    users: (state, id) => state.subnetPools.by('scope', id),
  },
  qos_policy: {
    uses: keys.qosPolicyUse.under,
    users: (state, id) => [...state.ports.by('qos', id), ...state.networks.by('qos', id)],
  },
};

/** A subnet pool can only be shared with projects that may use its address scope. */
function requireScopeSeen(change: Change, state: State, policy: RbacPolicyRecord): void {
  const { object_type: type, object_id: id, target_tenant: target } = policy;
  const scope = type === 'subnetpool' ? (state.subnetPools.get(id)?.record.address_scope_id ?? null) : null;
  const row = scope === null ? undefined : state.addressScopes.get(scope);
  if (row === undefined) return;
  if (row.record.project_id !== target && !isOpenTo(state, row.record, target)) {
    invalidInput(
      `Failed to create RBAC policy on object ${id} because target project doesn't have access to ` +
        'associated address scope',
    );
  }
  change.requireUnchanged(row);
}

export class RbacPolicies extends StoredResource<
  RbacPolicyRecord,
  typeof rbacPolicyAttributes,
  IndexNames<State['rbacPolicies']>
> {
  override readonly name = 'rbac_policy';
  override readonly collection = 'rbac_policies';
  override readonly path = 'rbac-policies';
  override readonly table = rbacPolicyAttributes;
  override readonly verbs = rbacPolicyVerbs;
  protected override readonly missingCode = 'RbacPolicyNotFound';
  protected override readonly rowsIn = (state: State) => state.rbacPolicies;
  protected override readonly indexes = { object_id: 'object' } as const;
  override readonly capabilities: Capabilities<RbacPolicyRecord, typeof rbacPolicyAttributes> = {
    update: (change, { record }, patch) => this.#retargeted(change, record, { ...record, ...patch }),
    quota: { counts: 'rbac_policy' },
  };

  protected override createOne(
    change: Change,
    draft: RbacPolicyDraft,
    birth: Birth,
    caller: Caller,
    created: readonly RbacPolicyRecord[],
  ): RbacPolicyRecord {
    const policy = newRbacPolicy(birth.id, birth.project, draft);
    const object = this.#objectOf(policy);
    if (!caller.admin && object.record.project_id !== caller.project)
      invalidInput('Only admins can manipulate policies on objects they do not own');
    const siblings = created.filter((one) => one.object_id === policy.object_id);
    const others = [...this.#policiesOf(policy), ...siblings];
    this.#refuseTwin(policy, others);
    requireScopeSeen(change, this.state, policy);
    this.#touchObject(change, object, [...others, policy]);
    change.put(keys.rbacPolicy(policy.id), policy);
    return policy;
  }

  #retargeted(change: Change, before: RbacPolicyRecord, after: RbacPolicyRecord): RbacPolicyRecord {
    if (after.target_tenant === before.target_tenant) return before;
    const others = this.#policiesOf(before).filter(({ id }) => id !== before.id);
    this.#refuseTwin(after, others);
    requireScopeSeen(change, this.state, after);
    // Neutron's rule: a policy for all that changes its target counts as removed, even for the new target.
    this.#keepUsersIn(change, before, [...others, after], after.target_tenant === '*' ? [after] : []);
    return after;
  }

  override remove(change: Change, row: Row<RbacPolicyRecord>): void {
    const policy = row.record;
    this.#keepUsersIn(
      change,
      policy,
      this.#policiesOf(policy).filter(({ id }) => id !== policy.id),
      [],
    );
    change.remove(row.key);
  }

  #policiesOf(policy: RbacPolicyRecord): readonly RbacPolicyRecord[] {
    return policiesOf(this.state, policy.object_id);
  }

  #objectOf({ object_type: type, object_id: id }: RbacPolicyRecord): Row<Owned> {
    const { rowsIn, missing: code } = shareables[type];
    return rowsIn(this.state).get(id) ?? refuse(missing(code, id));
  }

  #refuseTwin(policy: RbacPolicyRecord, others: readonly RbacPolicyRecord[]): void {
    if (others.some((other) => grantsSame(other, policy))) refuse({ code: 'DuplicateRbacPolicy' });
  }

  /**
   * Refuses when the object's policies `after` the change exclude a project that uses the object. The changed policy itself
   * counts only when it is in `counted`.
   */
  #keepUsersIn(
    change: Change,
    policy: RbacPolicyRecord,
    after: readonly RbacPolicyRecord[],
    counted: readonly RbacPolicyRecord[],
  ): void {
    const object = this.#objectOf(policy);
    const { uses, users } = usesOfType[policy.object_type];
    keepGatewaysIn(change, this.state, policy, after);
    this.#touchObject(change, object, after);
    const before = this.#policiesOf(policy);
    // Objects of old stores are shared by their attribute, without a policy.
    if ('shared' in object.record && object.record.shared === true && !isForAll(before)) return;
    const rows = [...users(this.state, policy.object_id)];
    const projects = rows.map((row) => row.record.project_id);
    const user = shutOut(object.record.project_id, projects, before, [
      ...after.filter(({ id }) => id !== policy.id),
      ...counted,
    ]);
    if (user !== null) refuse({ code: 'RbacPolicyInUse', object: policy.object_id, user });
    change.requireQuiet(uses(policy.object_id));
  }

  /** `policies`: the object's policies after the change. */
  #touchObject(change: Change, object: Row<Owned>, policies: readonly RbacPolicyRecord[]): void {
    const { state } = this;
    change.replace(object);
    const shared = sharedAs(object.record, policiesOf(state, object.record.id), policies);
    const network = state.networks.get(object.record.id)?.record;
    if (network === undefined) {
      change.put(object.key, restamped(shared, change.now));
      return;
    }
    const after = withPolicies(shared as NetworkRecord, policies);
    const openToAll = policies.some(
      ({ action, target_tenant: target }) => action === accessAsExternal && target === '*',
    );
    if (network.is_default === true && !openToAll)
      refuse({ code: 'DefaultExternalNetworkIsForAll', network: network.id });
    writeDefault(change, state, network, after);
    if (isExternal(network) && !isExternal(after)) requireNoGateways(change, state, network.id);
    change.put(object.key, touched(after, change.now));
  }
}
