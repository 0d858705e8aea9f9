/**
 * The rules of QoS policies: under their policy (`/qos/policies/{id}/bandwidth_limit_rules`), and by themselves
 * under an alias. The kinds differ in their tables alone. A change of a rule is a change of its policy.
 */
import type { FastifyInstance } from 'fastify';
import type { RequestDraft } from '../../model/attribute.ts';
import { refuse } from '../../model/faults.ts';
import { allows } from '../../model/policy.ts';
import { qosPolicyVerbs } from '../../model/qos-policy.ts';
import { newQosRule, type QosRuleKind, qosRuleKinds, withQosRule } from '../../model/qos-rule.ts';
import type { QosPolicyRecord, QosRuleRecord } from '../../model/records.ts';
import { differs, type Owned, touched } from '../../model/standard-attributes.ts';
import { refuseRequest } from '../http/request-faults.ts';
import type { Capabilities, Context, Resource } from '../http/resource.ts';
import { registerSubresource } from '../http/resource-router.ts';
import { Access, allVisible, type Gate } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { QosPolicies } from './qos-policies.ts';

export function registerQosRules(app: FastifyInstance, context: Context): void {
  const policies = new Access(new QosPolicies(context), context.view);
  for (const kind of qosRuleKinds) {
    const { name, collection } = kind;
    const rulesAt = (path: string, wrapper: string, policy: string | null) => {
      const resource = new QosRules(context, policies, { kind, path, name: wrapper, policy });
      return { resource, gate: resource.gate };
    };
    registerSubresource(app, context, {
      serve: ({ policy = '' }) => rulesAt(`qos/policies/:policy/${collection}`, name, policy),
    });
    // Neutron documents these with underscores and its clients use dashes; it answers to both.
    const alias = `alias_${collection}`;
    for (const path of [alias, alias.replaceAll('_', '-')]) {
      const serve = () => rulesAt(`qos/${path}`, `alias_${name}`, null);
      registerSubresource(app, context, { serve, documented: { component: name, collection }, alias: true });
    }
  }
}

/** A rule with its policy. */
interface RuleOfPolicy extends Owned {
  readonly rule: QosRuleRecord;
  readonly policy: QosPolicyRecord;
}

interface Place {
  readonly kind: QosRuleKind;
  readonly path: string;
  readonly name: string;
  /** Null under an alias. */
  readonly policy: string | null;
}

class QosRules implements Resource<RuleOfPolicy> {
  readonly name: string;
  readonly collection: string;
  readonly path: string;
  readonly table;
  readonly verbs = qosPolicyVerbs;
  readonly capabilities: Capabilities<RuleOfPolicy, QosRuleKind['table']> = {
    update: (_change, { record }, patch) => {
      const rule: QosRuleRecord = { ...record.rule, ...patch };
      return { ...record, rule, policy: withQosRule(record.policy, rule) };
    },
  };
  readonly #context: Context;
  readonly #policies: Access<QosPolicyRecord>;
  readonly #kind: QosRuleKind;
  readonly #policy: string | null;

  constructor(context: Context, policies: Access<QosPolicyRecord>, { kind, path, name, policy }: Place) {
    this.#context = context;
    this.#policies = policies;
    this.#kind = kind;
    this.#policy = policy;
    this.path = path;
    this.name = name;
    // An alias wraps the same rule in another name.
    this.collection = name === kind.name ? kind.collection : `${name}s`;
    this.table = kind.table;
  }

  get gate(): Gate<RuleOfPolicy> {
    return new RuleGate(this, this.#policies, this.#kind.name, this.#policy);
  }

  find(id: string): Row<RuleOfPolicy> | undefined {
    const { qosPolicies } = this.#context.view.state;
    const [holder] = this.#policy === null ? qosPolicies.by('rule', id) : [qosPolicies.get(this.#policy)];
    return holder === undefined ? undefined : this.#rowsOf(holder).find((row) => row.record.id === id);
  }

  candidates(): readonly Row<RuleOfPolicy>[] {
    const row = this.#context.view.state.qosPolicies.get(this.#policy ?? '');
    return row === undefined ? [] : this.#rowsOf(row);
  }

  #rowsOf(row: Row<QosPolicyRecord>): readonly Row<RuleOfPolicy>[] {
    const policy = row.record;
    return policy.rules
      .filter(({ type }) => type === this.#kind.type)
      .map((rule) => ({ ...row, record: recordOf(policy, rule), shown: null, shownOtherwise: null }));
  }

  missing(id: string) {
    return { code: 'QosRuleNotFound', id, policy: this.#policy ?? '' } as const;
  }

  /** Without its kind, which the path says. */
  show({ rule }: RuleOfPolicy) {
    const { type: _, ...shown } = rule;
    return shown;
  }

  create(change: Change, drafts: readonly RequestDraft[], caller: Caller): readonly RuleOfPolicy[] {
    const row = this.#policies.found(caller, this.#policy ?? '');
    const added = drafts.map((draft) => newQosRule(this.#kind, this.#context.newId(), draft));
    const after = added.reduce(withQosRule, row.record);
    change.replace(row);
    if (differs(row.record, after)) change.put(row.key, touched(after, change.now));
    return added.map((rule) => recordOf(after, rule));
  }

  write(change: Change, { key }: Row<RuleOfPolicy>, { policy }: RuleOfPolicy): void {
    change.put(key, touched(policy, change.now));
  }

  remove(change: Change, { key, record: { id, policy } }: Row<RuleOfPolicy>): void {
    const rules = policy.rules.filter((rule) => rule.id !== id);
    change.put(key, touched({ ...policy, rules }, change.now));
  }
}

const recordOf = (policy: QosPolicyRecord, rule: QosRuleRecord): RuleOfPolicy => ({
  id: rule.id,
  project_id: policy.project_id,
  rule,
  policy,
});

/** Callers who see a policy see its rules; callers who may change the policy may change them. */
class RuleGate implements Gate<RuleOfPolicy> {
  readonly #rules: QosRules;
  readonly #policies: Access<QosPolicyRecord>;
  readonly #kindName: string;
  readonly #policy: string | null;

  constructor(rules: QosRules, policies: Access<QosPolicyRecord>, kindName: string, policy: string | null) {
    this.#rules = rules;
    this.#policies = policies;
    this.#kindName = kindName;
    this.#policy = policy;
  }

  readonly visibilityOf = allVisible;

  visibleTo(caller: Caller) {
    this.#policies.found(caller, this.#policy ?? '');
    return () => true;
  }

  seen(caller: Caller, id: string): Row<RuleOfPolicy> | undefined {
    if (this.#policy !== null) this.#policies.found(caller, this.#policy);
    const row = this.#rules.find(id);
    return row !== undefined && this.#policies.seen(caller, row.record.policy.id) ? row : undefined;
  }

  found(caller: Caller, id: string): Row<RuleOfPolicy> {
    return this.seen(caller, id) ?? refuse(this.#rules.missing(id));
  }

  demandCreation(caller: Caller): void {
    if (!caller.manager) this.#refuse('create');
    this.#demand(caller, 'create', this.#policies.found(caller, this.#policy ?? '').record);
  }

  toUpdate(caller: Caller, id: string): Row<RuleOfPolicy> {
    return this.#demanded(caller, 'update', id);
  }

  toRemove(caller: Caller, id: string): Row<RuleOfPolicy> {
    return this.#demanded(caller, 'delete', id);
  }

  #demanded(caller: Caller, verb: string, id: string): Row<RuleOfPolicy> {
    const row = this.found(caller, id);
    this.#demand(caller, verb, row.record.policy);
    return row;
  }

  #demand(caller: Caller, verb: string, policy: QosPolicyRecord): void {
    const target = { project: policy.project_id, parent: null, shared: false, external: false };
    if (!allows(qosPolicyVerbs.update, caller, target)) this.#refuse(verb);
  }

  #refuse(verb: string): never {
    return refuseRequest({ code: 'PolicyNotAuthorized', rules: `rule:${verb}_policy_${this.#kindName}` });
  }
}
