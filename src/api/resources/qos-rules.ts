/**
 * The rules of QoS policies: under their policy (`/qos/policies/{id}/bandwidth_limit_rules`), and by themselves
 * under an alias. All kinds are served by the same routes; what differs stands in the kind's table.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { draftForCreate, draftForUpdate } from '../../model/attribute.ts';
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import { allows } from '../../model/policy.ts';
import { qosPolicyVerbs } from '../../model/qos-policy.ts';
import { newQosRule, type QosRuleKind, qosRuleKinds, withQosRule } from '../../model/qos-rule.ts';
import type { QosPolicyRecord, QosRuleRecord } from '../../model/records.ts';
import { differs, touched } from '../../model/standard-attributes.ts';
import { readResource, readResources, refuseBody } from '../http/body.ts';
import { matches, parseFilters } from '../http/filters.ts';
import { page, pageLinks, parseFields, parsePaging } from '../http/paging.ts';
import { refuseRequest } from '../http/request-faults.ts';
import type { Context } from '../http/resource.ts';
import { refuseMethod } from '../http/resource-router.ts';
import { Access } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import { callerOf } from '../identity/request-caller.ts';
import { does, refuses } from '../openapi/operation.ts';
import { tableOperations } from '../openapi/table-operations.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { urlOf } from '../versions.ts';
import { QosPolicies } from './qos-policies.ts';

type Writing = 'create' | 'update' | 'delete';

/** `policy` is absent where the rule goes by an alias. */
type Path = { Params: { policy?: string; id: string } };

export function registerQosRules(app: FastifyInstance, context: Context): void {
  for (const kind of qosRuleKinds) {
    const rules = new QosRules(context, kind);
    registerCollection(app, rules);
    registerOne(app, rules, `/v2.0/qos/policies/:policy/${kind.collection}/:id`, kind.name);
    // Neutron documents these with underscores and its clients use dashes; it answers to both.
    const alias = `alias_${kind.collection}`;
    for (const path of [alias, alias.replaceAll('_', '-')]) {
      registerOne(app, rules, `/v2.0/qos/${path}/:id`, `alias_${kind.name}`);
    }
  }
}

/** Rules are changed by those who change policies. An alias wraps the same rule in another name. */
function operationsOf(kind: QosRuleKind, name = kind.name) {
  const { collection, table } = kind;
  return tableOperations({ name, collection, table, verbs: qosPolicyVerbs }, kind.name);
}

function registerCollection(app: FastifyInstance, rules: QosRules): void {
  const { name, collection, table } = rules.kind;
  const tells = operationsOf(rules.kind);
  const many = `/v2.0/qos/policies/:policy/${collection}`;
  type OfPolicy = { Params: { policy: string } };

  app.get<OfPolicy>(many, does(tells.list), async (request) => {
    const url = urlOf(request);
    const filters = parseFilters(table, url.searchParams);
    const paging = parsePaging(table, url.searchParams);
    const fields = parseFields(table, url.searchParams);
    const readings = rules.of(callerOf(request), request.params.policy).map((rule) => new RuleReading(rule));
    const items = page(
      readings.filter((reading) => matches(reading, filters)),
      paging,
    );
    const links = pageLinks(items, paging, url);
    return {
      [collection]: items.map((item) => item.shown(fields)),
      ...(links.length === 0 ? {} : { [`${collection}_links`]: links }),
    };
  });

  app.post<OfPolicy>(many, tells.create === null ? refuses : does(tells.create), async (request, reply) => {
    const { bulk, items } = readResources(request, name, collection);
    const drafts = items.map((item) => draftForCreate(table, name, item));
    const shown = (await rules.create(callerOf(request), request.params.policy, drafts)).map(showRule);
    return reply.code(201).send(bulk ? { [collection]: shown } : { [name]: shown[0] });
  });

  app.route({ method: ['PUT', 'DELETE', 'PATCH'], url: many, handler: refuseMethod });
}

function registerOne(app: FastifyInstance, rules: QosRules, path: string, name: string): void {
  const { table } = rules.kind;
  const tells = operationsOf(rules.kind, name);

  app.get<Path>(path, does(tells.show), async (request) => {
    const fields = parseFields(table, urlOf(request).searchParams);
    const { rule } = rules.find(callerOf(request), request.params);
    return { [name]: new RuleReading(rule).shown(fields) };
  });

  app.put<Path>(path, does(tells.update), async (request) => {
    const draft = draftForUpdate(table, name, readResource(request, name, `${name}s`));
    return { [name]: showRule(await rules.update(callerOf(request), request.params, draft)) };
  });

  app.delete<Path>(path, does(tells.remove), async (request, reply): Promise<FastifyReply> => {
    refuseBody(request);
    await rules.remove(callerOf(request), request.params);
    return reply.code(204).send();
  });

  app.route({ method: ['POST', 'PATCH'], url: path, handler: refuseMethod });
}

/** A rule by itself does not say its kind: the path did. */
function showRule(rule: QosRuleRecord): Record<string, unknown> {
  const { type: _, ...shown } = rule;
  return shown;
}

class RuleReading {
  readonly #shown: Readonly<Record<string, unknown>>;

  constructor(rule: QosRuleRecord) {
    this.#shown = showRule(rule);
  }

  get(attribute: string): unknown {
    return this.#shown[attribute];
  }

  shown(fields: ReadonlySet<string> | null): Readonly<Record<string, unknown>> {
    if (fields === null) return this.#shown;
    return Object.fromEntries(Object.entries(this.#shown).filter(([name]) => fields.has(name)));
  }
}

/** The rules of one kind. A change of a rule is a change of its policy, which holds them all. */
class QosRules {
  readonly kind: QosRuleKind;
  readonly #context: Context;
  readonly #access: Access<QosPolicyRecord>;

  constructor(context: Context, kind: QosRuleKind) {
    this.#context = context;
    this.kind = kind;
    this.#access = new Access(new QosPolicies(context), () => context.view.state);
  }

  of(caller: Caller, policy: string): readonly QosRuleRecord[] {
    return this.#access.found(caller, policy).record.rules.filter((rule) => rule.type === this.kind.type);
  }

  /** Throws `QosPolicyNotFound` or `QosRuleNotFound`. */
  find(caller: Caller, { policy, id }: Path['Params']): { row: Row<QosPolicyRecord>; rule: QosRuleRecord } {
    const { qosPolicies } = this.#context.view.state;
    const [holder] = qosPolicies.by('rule', id);
    const row =
      policy === undefined
        ? this.#access.seen(caller, holder?.record.id ?? '')
        : this.#access.found(caller, policy);
    const rule = row?.record.rules.find((one) => one.id === id && one.type === this.kind.type);
    if (row === undefined || rule === undefined) {
      return refuse({ code: 'QosRuleNotFound', id, policy: policy ?? '' });
    }
    return { row, rule };
  }

  create(caller: Caller, policy: string, drafts: readonly Readonly<Record<string, unknown>>[]) {
    if (!caller.manager) this.#refuse('create');
    return this.#context.committer.commit((change): readonly QosRuleRecord[] => {
      const row = this.#access.found(caller, policy);
      this.#demand(caller, 'create', row);
      const added = drafts.map((draft) => newQosRule(this.kind, this.#context.newId(), draft));
      replacePolicy(change, row, added.reduce(withQosRule, row.record));
      return added;
    });
  }

  update(caller: Caller, path: Path['Params'], draft: Readonly<Record<string, unknown>>) {
    return this.#context.committer.commit((change): QosRuleRecord => {
      const { row, rule } = this.find(caller, path);
      this.#demand(caller, 'update', row);
      const after: QosRuleRecord = { ...rule, ...draft };
      replacePolicy(change, row, withQosRule(row.record, after));
      return after;
    });
  }

  remove(caller: Caller, path: Path['Params']): Promise<void> {
    return this.#context.committer.commit((change) => {
      const { row, rule } = this.find(caller, path);
      this.#demand(caller, 'delete', row);
      const rules = row.record.rules.filter((other) => other.id !== rule.id);
      replacePolicy(change, row, { ...row.record, rules });
    });
  }

  /** Who sees a policy sees its rules; they are changed by those who change policies. */
  #demand(caller: Caller, verb: Writing, { record }: Row<QosPolicyRecord>): void {
    const { update } = qosPolicyVerbs;
    const target = { project: record.project_id, parent: null, shared: false, external: false };
    if (!allows(update, caller, target)) this.#refuse(verb);
  }

  #refuse(verb: Writing): never {
    return refuseRequest({ code: 'PolicyNotAuthorized', rules: `rule:${verb}_policy_${this.kind.name}` });
  }
}

function replacePolicy(change: Change, row: Row<QosPolicyRecord>, after: QosPolicyRecord): void {
  change.replace(row);
  if (differs(row.record, after)) change.put(keys.qosPolicy(after.id), touched(after, change.now));
}
