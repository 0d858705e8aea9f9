/** `/v1/security-group-rules/…`: how much rules are used, and which of them could go. */
import type { FastifyInstance } from 'fastify';
import { isObject } from '../../model/checks.ts';
import { badRequest, refuse } from '../../model/faults.ts';
import type { SecurityGroupRuleRecord } from '../../model/records.ts';
import { addressGroupIdOf } from '../../model/security-group-rule.ts';
import { addressGroupOf as addressesOf, ruleOf } from '../../policy/records.ts';
import { shadowedRules } from '../../policy/shadow.ts';
import type { RuleId } from '../../policy/world.ts';
import { timeoutOf } from '../http/timeout.ts';
import { describes } from '../openapi/operation.ts';
import type { State } from '../state/state.ts';
import type { View } from '../state/view.ts';
import type { Asker } from './ask.ts';
import {
  type HitWatch,
  hostsOfGroup,
  later,
  portUsages,
  type Usage,
  usageOf,
  watchOf,
} from './rule-usage.ts';
import { ruleCountersOperation, rulesUsageOperation } from './rule-usage-operations.ts';

/** Seconds that hosts have for looking. */
const lookTimeout = 10;

interface Query {
  /** Seconds. */
  readonly since: number | null;
  readonly unused: boolean;
  readonly group: string | null;
}

const parameters = new Set(['since', 'unused', 'security_group_id', 'timeout']);

function queryOf(query: unknown, state: State): Query {
  const values = isObject(query) ? query : {};
  for (const name of Object.keys(values))
    if (!parameters.has(name)) badRequest(`'${name}' is not a parameter of this request`);
  const { since = null, unused = 'false', security_group_id: group = null } = values;
  if (since !== null && !(typeof since === 'string' && /^\d{1,10}$/.test(since)))
    return badRequest('since must be a whole number of seconds');
  if (unused !== 'true' && unused !== 'false') return badRequest('unused must be true or false');
  if (group !== null && typeof group !== 'string') return badRequest('one security_group_id may be given');
  if (group !== null && state.groups.get(group) === undefined)
    return refuse({ code: 'SecurityGroupNotFound', id: group });
  return { since: since === null ? null : Number(since), unused: unused === 'true', group };
}

const time = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());

const shownUsage = ({ packets, bytes, connections, first, last }: Usage) => ({
  packets,
  bytes,
  connections,
  first_used: time(first),
  last_used: time(last),
});

const shownWatch = ({ since, reset }: HitWatch) => ({ watched_since: time(since), reset_at: time(reset) });

/** What a rule asks for, with the names of what it refers to. */
function shownRule(state: State, rule: SecurityGroupRuleRecord) {
  const { security_group_id: group, remote_group_id: remote } = rule;
  const addresses = addressGroupIdOf(rule);
  return {
    rule: rule.id,
    security_group: group,
    security_group_name: state.groups.get(group)?.record.name ?? null,
    direction: rule.direction,
    ethertype: rule.ethertype,
    protocol: rule.protocol,
    port_range_min: rule.port_range_min,
    port_range_max: rule.port_range_max,
    remote_ip_prefix: rule.remote_ip_prefix,
    remote_group_id: remote,
    remote_group_name: remote === null ? null : (state.groups.get(remote)?.record.name ?? null),
    remote_address_group_id: addresses,
    remote_address_group_name:
      addresses === null ? null : (state.addressGroups.get(addresses)?.record.name ?? null),
  };
}

function shadows(state: State, records: readonly SecurityGroupRuleRecord[]) {
  const rules = records.map(ruleOf).filter((rule) => rule !== null);
  const groups = [...state.addressGroups.all()].map(({ record }) => addressesOf(record));
  return shadowedRules(rules, new Map(groups.map((group) => [group.id, group])));
}

export function registerRuleUsage(app: FastifyInstance, view: View, asker: Asker): void {
  /** Has live hosts record what they count now; what the others recorded last stands. */
  const look = async (query: unknown) => {
    const timeout = timeoutOf(query, lookTimeout);
    await view.catchUp();
    const { late } = await asker.ask({ kind: 'hits' }, asker.liveHosts(), timeout);
    await view.catchUp();
    const { state } = view;
    const down = [...state.hits.watches.keys()].filter((name) => !state.isLive(name));
    return { late, down };
  };

  app.get<{ Params: { id: string } }>(
    '/v1/security-group-rules/:id/counters',
    describes(ruleCountersOperation),
    async (request) => {
      const { id } = request.params;
      const find = () =>
        view.state.rules.get(id)?.record ?? refuse({ code: 'SecurityGroupRuleNotFound', id });
      find();
      const unheard = await look(request.query);
      const rule = find();
      const { state } = view;
      const hosts = hostsOfGroup(state, rule.security_group_id);
      return {
        rule: id,
        security_group: rule.security_group_id,
        ...shownUsage(usageOf(state, id)),
        ...shownWatch(watchOf(state, rule, hosts)),
        ports: portUsages(state, id).map(({ port, host, ...usage }) => ({
          port,
          host,
          ...shownUsage(usage),
        })),
        ...unheard,
      };
    },
  );

  app.get('/v1/security-group-rules/usage', describes(rulesUsageOperation), async (request) => {
    const wanted = queryOf(request.query, view.state);
    const unheard = await look(request.query);
    const { state } = view;
    const { group } = wanted;
    const records = [...(group === null ? state.rules.all() : state.rules.by('group', group))].map(
      ({ record }) => record,
    );
    const shadowed = shadows(state, records);
    const hosts = new Map<string, ReadonlySet<string>>();
    const now = Date.now();
    const edge = wanted.since === null ? null : now - wanted.since * 1000;
    const rules = records.map((record) => {
      const { id, security_group_id: own } = record;
      const usage = usageOf(state, id);
      let concerned = hosts.get(own);
      if (concerned === undefined) hosts.set(own, (concerned = hostsOfGroup(state, own)));
      const watch = watchOf(state, record, concerned);
      return {
        ...shownRule(state, record),
        ...shownUsage(usage),
        ...shownWatch(watch),
        unused: usage.last === null || (edge !== null && usage.last < edge),
        // Whether the counts reach back over all of the time that was asked for.
        watched: watch.since !== null && (edge === null || watch.since <= edge),
        shadowed_by: shadowed.get(id as RuleId) ?? [],
      };
    });
    const watches = [...state.hits.watches.values()];
    return {
      rules: wanted.unused ? rules.filter(({ unused }) => unused) : rules,
      now: time(now),
      watched_since: time(watches.length === 0 ? null : Math.max(...watches.map(({ since }) => since))),
      reset_at: time(watches.reduce<number | null>((latest, { reset }) => later(latest, reset), null)),
      ...unheard,
    };
  });
}
