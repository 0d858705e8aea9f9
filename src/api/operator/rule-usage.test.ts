import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../model/keys.ts';
import type { AskRecord, HitCount, HitRecord, HitWatchRecord } from '../../model/records.ts';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { death, livingHost } from '../testing/hosts.ts';

const hour = 3_600_000;
let under: UnderTest;
let client: TestClient;
let group: string;
let stops: (() => void)[];

beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
  stops = [];
  const made = await client.make('security-groups', { name: 'web' });
  group = made['id'] as string;
  for (const rule of made['security_group_rules'] as Json[])
    await client.remove('security-group-rules', rule['id']);
});
afterEach(async () => {
  for (const stop of stops) stop();
  await under.close();
});

const put = (key: string, value: unknown) =>
  under.store.txn([], [{ op: 'put', key, value: JSON.stringify(value) }]);
const host = (name: string) => under.store.txn([], livingHost(name));
const watch = (name: string, record: HitWatchRecord) => put(keys.hitWatch(name), record);

const count = (connections: number, first: number | null, last = first): HitCount => ({
  packets: connections * 2,
  bytes: connections * 200,
  connections,
  first,
  last,
});
const hits = (name: string, rule: string, ports: Readonly<Record<string, HitCount>>) =>
  put(keys.hits(name, rule), { ports, switch: {}, at: Date.now() } satisfies HitRecord);

async function ruleOf(attributes: Json): Promise<string> {
  const defaults = { security_group_id: group, direction: 'ingress' };
  return (await client.make('security-group-rules', { ...defaults, ...attributes }))['id'] as string;
}

/** An agent that answers a question for hits with given records. */
function agent(name: string, look: () => Promise<unknown>): void {
  const subscription = under.store.subscribe([keys.ask.prefix], {
    onSnapshot() {},
    onBatch({ events }) {
      for (const event of events) {
        if (event.type !== 'put') continue;
        const { kind } = JSON.parse(event.entry.value) as AskRecord;
        const id = event.entry.key.slice(keys.ask.prefix.length);
        if (kind === 'hits') void look().then(() => put(keys.answer(id, name), {}));
      }
    },
  });
  stops.push(() => subscription.close());
}

async function counters(rule: string, query = ''): Promise<Json> {
  const { status, body } = await client.call('GET', `/v1/security-group-rules/${rule}/counters${query}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
}

async function usage(query = ''): Promise<Json & { rules: Json[] }> {
  const { status, body } = await client.call('GET', `/v1/security-group-rules/usage${query}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return body as Json & { rules: Json[] };
}

const idsOf = ({ rules }: { readonly rules: readonly Json[] }) => rules.map(({ rule }) => rule);

describe('counters of a rule', () => {
  it('are what hosts count at the moment of asking, summed and by port', async () => {
    const rule = await ruleOf({ protocol: 'tcp' });
    await host('h1');
    await watch('h1', { since: 1000, reset: null });
    agent('h1', () => hits('h1', rule, { p1: count(3, 5000, 9000), '': count(1, 2000) }));
    await host('dead');
    await under.store.txn([], [death('dead')]);
    await watch('dead', { since: 1000, reset: null });
    await hits('dead', rule, { p2: count(2, 8000) });
    const body = await counters(rule);
    expect(body).toMatchObject({
      rule,
      security_group: group,
      packets: 12,
      bytes: 1200,
      connections: 6,
      first_used: '1970-01-01T00:00:02.000Z',
      last_used: '1970-01-01T00:00:09.000Z',
      reset_at: null,
      late: [],
      down: ['dead'],
    });
    const ports = (body['ports'] as Json[]).map(({ port, host: on, connections }) => [port, on, connections]);
    expect(ports.sort()).toEqual([
      [null, 'h1', 1],
      ['p1', 'h1', 3],
      ['p2', 'dead', 2],
    ]);
  });

  it('are zero of a rule that nothing met, watched since it was made or hosts count', async () => {
    const rule = await ruleOf({ protocol: 'tcp' });
    const made = (await client.show('security-group-rules', rule))['created_at'] as string;
    expect(await counters(rule)).toMatchObject({ watched_since: null });
    await watch('h1', { since: 1000, reset: 4000 });
    await watch('h2', { since: 2000, reset: 3000 });
    expect(await counters(rule)).toMatchObject({
      connections: 0,
      last_used: null,
      watched_since: new Date(made).toISOString(),
      reset_at: '1970-01-01T00:00:04.000Z',
      ports: [],
    });
    const later = Date.now() + hour;
    await watch('h1', { since: later, reset: null });
    expect(await counters(rule)).toMatchObject({ watched_since: new Date(later).toISOString() });
  });

  it('concern only hosts that have ports of the group, or had hits', async () => {
    const rule = await ruleOf({ protocol: 'tcp' });
    const net = await client.make('networks', { name: 'n' });
    const port = await client.make('ports', { network_id: net['id'], security_groups: [group] });
    await put(keys.binding(String(net['id']), String(port['id'])), { host: 'h1', status: 'ACTIVE' });
    await watch('young', { since: Date.now() + hour, reset: Date.now() });
    expect(await counters(rule)).toMatchObject({ watched_since: null });
    await watch('h1', { since: 1000, reset: null });
    const { watched_since, reset_at } = await counters(rule);
    expect(Date.parse(String(watched_since))).toBeLessThanOrEqual(Date.now());
    expect(reset_at).toBe(null);
  });

  it('come without hosts that do not answer in time, which are named', async () => {
    const rule = await ruleOf({ protocol: 'tcp' });
    await host('mute');
    expect(await counters(rule, '?timeout=0.1')).toMatchObject({ late: ['mute'] });
  });

  it('of an unknown rule, or one that goes meanwhile, are a 404', async () => {
    const unknown = await client.call('GET', '/v1/security-group-rules/nobody/counters');
    expectRefusal(unknown, 404, 'SecurityGroupRuleNotFound');
    const rule = await ruleOf({ protocol: 'tcp' });
    await host('h1');
    agent('h1', () => client.remove('security-group-rules', rule));
    const gone = await client.call('GET', `/v1/security-group-rules/${rule}/counters`);
    expectRefusal(gone, 404, 'SecurityGroupRuleNotFound');
  });
});

describe('usage of rules', () => {
  it('tells of each rule what it asks for, how often it was met, and what shadows it', async () => {
    const wide = await ruleOf({ protocol: 'tcp' });
    const narrow = await ruleOf({ protocol: 'tcp', port_range_min: 22, port_range_max: 22 });
    const remote = await ruleOf({ protocol: 'udp', remote_group_id: group });
    await hits('h1', wide, { p: count(2, Date.now()) });
    const body = await usage(`?security_group_id=${group}`);
    expect(idsOf(body)).toEqual([wide, narrow, remote]);
    const [first, second, third] = body.rules;
    expect(first).toMatchObject({
      connections: 2,
      unused: false,
      shadowed_by: [],
      security_group_name: 'web',
    });
    expect(second).toMatchObject({ unused: true, shadowed_by: [wide], port_range_min: 22 });
    expect(third).toMatchObject({ remote_group_id: group, remote_group_name: 'web' });
  });

  it('unused are rules that were never met, or not for a while; whether they were watched so long is told', async () => {
    const now = Date.now();
    const [never, old, fresh] = [
      await ruleOf({ protocol: 'tcp' }),
      await ruleOf({ protocol: 'udp' }),
      await ruleOf({ protocol: 'icmp' }),
    ];
    await watch('h1', { since: now - 2 * hour, reset: null });
    await hits('h1', old, { p: count(1, now - 2 * hour) });
    await hits('h1', fresh, { p: count(1, now - hour / 2) });
    const only = `unused=true&security_group_id=${group}`;
    expect(idsOf(await usage(`?${only}`))).toEqual([never]);
    const hourly = await usage(`?${only}&since=3600`);
    expect(idsOf(hourly)).toEqual([never, old]);
    // Made just now, so nobody can have watched them for an hour.
    expect(hourly.rules.map(({ watched }) => watched)).toEqual([false, false]);
    const now2 = await usage(`?${only}&since=0`);
    expect(now2.rules.map(({ watched }) => watched)).toEqual([true, true, true]);
    expect(now2).toMatchObject({ watched_since: new Date(now - 2 * hour).toISOString(), reset_at: null });
  });

  it('a group that goes takes its rules’ usage along, records that are left over do not count', async () => {
    const rule = await ruleOf({ protocol: 'tcp' });
    await hits('h1', rule, { p: count(1, 1000) });
    await client.remove('security-groups', group);
    expect(idsOf(await usage())).not.toContain(rule);
  });

  it.each([
    ['since=-1', 400, 'HTTPBadRequest'],
    ['since=7d', 400, 'HTTPBadRequest'],
    ['unused=yes', 400, 'HTTPBadRequest'],
    ['group=x', 400, 'HTTPBadRequest'],
    ['timeout=0', 400, 'HTTPBadRequest'],
    ['security_group_id=x', 404, 'SecurityGroupNotFound'],
  ])('%s is refused', async (query, status, type) => {
    expectRefusal(await client.call('GET', `/v1/security-group-rules/usage?${query}`), status, type);
  });
});
