import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { QosPolicyRecord } from '../../model/records.ts';
import { qosPolicyOf } from '../../policy/records.ts';
import {
  collectionOf,
  expectRefusal,
  type Json,
  nameOf,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';

let under: UnderTest;
let client: TestClient;
let policy: Json;
let base: string;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
  policy = await client.make('qos/policies', { name: 'p' });
  base = `qos/policies/${String(policy['id'])}`;
});
afterEach(() => under.close());

const unknownId = '3b0a6f4e-5d1a-4a53-8f0c-0d9f3ac5a111';

const kinds = [
  {
    collection: 'bandwidth_limit_rules',
    type: 'bandwidth_limit',
    sent: { max_kbps: '10000' },
    made: { max_kbps: 10_000, max_burst_kbps: 0, direction: 'egress' },
    patch: { max_burst_kbps: 800, direction: 'ingress' },
    filter: 'max_kbps=10000',
    wrong: [
      [{}, "Required attribute 'max_kbps' not specified", 'HTTPBadRequest'],
      [{ max_kbps: -1 }, "'-1' is too small - must be at least '0'", 'HTTPBadRequest'],
      [{ max_kbps: 2_147_483_648 }, 'is too large', 'HTTPBadRequest'],
      [{ max_kbps: 'much' }, "'much' is not an integer", 'InvalidInput'],
      [{ max_kbps: 1.5 }, "'1.5' is not an integer", 'InvalidInput'],
      [{ max_kbps: null }, "'None' is not an integer", 'InvalidInput'],
      [{ max_kbps: 1, direction: 'any' }, 'any is not in valid_values', 'HTTPBadRequest'],
      [{ max_kbps: 1, max_kpps: 1 }, "Unrecognized attribute(s) 'max_kpps'", 'HTTPBadRequest'],
      [{ max_kbps: 1, id: unknownId }, "Attribute 'id' not allowed in POST", 'HTTPBadRequest'],
    ],
  },
  {
    collection: 'packet_rate_limit_rules',
    type: 'packet_rate_limit',
    sent: { max_kpps: 20, max_burst_kpps: 3, direction: 'ingress' },
    made: { max_kpps: 20, max_burst_kpps: 3, direction: 'ingress' },
    patch: { max_kpps: '30' },
    filter: 'direction=ingress',
    wrong: [
      [{ max_burst_kpps: 1 }, "Required attribute 'max_kpps' not specified", 'HTTPBadRequest'],
      [{ max_kpps: 1, max_burst_kpps: -5 }, 'is too small', 'HTTPBadRequest'],
    ],
  },
  {
    collection: 'dscp_marking_rules',
    type: 'dscp_marking',
    sent: { dscp_mark: '26' },
    made: { dscp_mark: 26 },
    patch: { dscp_mark: 0 },
    filter: 'dscp_mark=26',
    wrong: [
      [{ dscp_mark: 42 }, '42 is not in valid_values', 'HTTPBadRequest'],
      [{ dscp_mark: 'EF' }, "'EF' is not an integer", 'InvalidInput'],
      [{ dscp_mark: 8, direction: 'egress' }, 'Unrecognized attribute', 'HTTPBadRequest'],
    ],
  },
] as const;

describe.each(kinds)('$collection', ({ collection, type, sent, made, patch, filter, wrong }) => {
  const name = nameOf(collection);
  const path = () => `${base}/${collection}`;

  it('are made, shown in their policy, changed and removed', async () => {
    const rule = await client.make(path(), sent);
    expect(rule).toEqual({ id: rule['id'], ...made });
    expect(await client.show(path(), rule['id'])).toEqual(rule);
    expect(await client.list(path())).toEqual([rule]);
    const url = `/v2.0/${path()}/${String(rule['id'])}`;
    expect((await client.call('GET', `${url}?fields=id`)).body).toEqual({ [name]: { id: rule['id'] } });
    const whole = { ...rule, type, qos_policy_id: policy['id'] };
    expect(await client.show('qos/policies', policy['id'])).toMatchObject({
      rules: [whole],
      revision_number: 2,
    });
    const changed = await client.change(path(), rule['id'], patch);
    const expected = Object.fromEntries(
      Object.entries(patch).map(([key, value]) => [key, key === 'direction' ? value : Number(value)]),
    );
    expect(changed).toEqual({ ...rule, ...expected });
    // What changes nothing is no new revision.
    await client.change(path(), rule['id'], patch);
    expect(await client.show('qos/policies', policy['id'])).toMatchObject({
      rules: [{ ...whole, ...expected }],
      revision_number: 3,
    });
    await client.remove(path(), rule['id']);
    expect(await client.show('qos/policies', policy['id'])).toMatchObject({ rules: [], revision_number: 4 });
    expect(expectRefusal(await client.call('GET', url), 404, 'QosRuleNotFound')).toBe(
      `QoS rule ${String(rule['id'])} for policy ${String(policy['id'])} could not be found.`,
    );
  });

  it('are found by filters and pages', async () => {
    const rule = await client.make(path(), sent);
    expect(await client.list(path(), filter)).toEqual([rule]);
    expect(await client.list(path(), `${filter}&id=${unknownId}`)).toEqual([]);
    const url = `/v2.0/${path()}`;
    expectRefusal(await client.call('GET', `${url}?colour=red`), 400, 'HTTPBadRequest');
    const paged = await client.call('GET', `${url}?limit=1&sort_key=id&sort_dir=asc`);
    expect(paged.body[collection]).toEqual([rule]);
    expect(paged.body[`${collectionOf(collection)}_links`]).toHaveLength(2);
  });

  it('go by an alias too', async () => {
    const rule = await client.make(path(), sent);
    for (const alias of [`alias_${collection}`, `alias-${collection.replaceAll('_', '-')}`]) {
      const url = `/v2.0/qos/${alias}/${String(rule['id'])}`;
      expect((await client.call('GET', url)).body).toEqual({ [`alias_${name}`]: rule });
    }
    const url = `/v2.0/qos/alias-${collection.replaceAll('_', '-')}`;
    const one = `${url}/${String(rule['id'])}`;
    const changed = await client.call('PUT', one, { [`alias_${name}`]: patch });
    expect(changed.status).toBe(200);
    expect(changed.body).toEqual({ [`alias_${name}`]: await client.show(path(), rule['id']) });
    expectRefusal(await client.call('PUT', one, { [name]: patch }), 400, 'HTTPBadRequest');
    expect((await client.call('DELETE', one)).status).toBe(204);
    expect(await client.list(path())).toEqual([]);
    const missing = await client.call('DELETE', one);
    expect(expectRefusal(missing, 404, 'QosRuleNotFound')).toBe(
      `QoS rule ${String(rule['id'])} for policy  could not be found.`,
    );
    expectRefusal(await client.call('GET', url), 404, 'HTTPNotFound');
  });

  it('are refused where they exclude each other or make no sense', async () => {
    const rule = await client.make(path(), sent);
    const url = `/v2.0/${path()}`;
    const before = await under.content();
    const second = await client.call('POST', url, { [name]: sent });
    expect(expectRefusal(second, 409, 'QoSRulesConflict')).toBe(
      `Rule ${type} conflicts with rule ${String(rule['id'])} which already exists in QoS Policy ${String(policy['id'])}.`,
    );
    for (const [attributes, text, error] of wrong) {
      const reply = await client.call('POST', url, { [name]: attributes });
      expect(expectRefusal(reply, 400, error)).toContain(text);
    }
    const put = (attributes: Json) =>
      client.call('PUT', `${url}/${String(rule['id'])}`, { [name]: attributes });
    expectRefusal(await put({ id: unknownId }), 400, 'HTTPBadRequest');
    expectRefusal(await put({ qos_policy_id: unknownId }), 400, 'HTTPBadRequest');
    expectRefusal(await client.call('POST', url, sent), 400, 'HTTPBadRequest');
    expectRefusal(await client.call('PUT', url, { [name]: sent }), 405, 'HTTPMethodNotAllowed');
    expectRefusal(await client.call('POST', `${url}/${String(rule['id'])}`), 405, 'HTTPMethodNotAllowed');
    const stranger = `/v2.0/qos/policies/${unknownId}/${collection}`;
    for (const reply of [
      await client.call('GET', stranger),
      await client.call('POST', stranger, { [name]: sent }),
      await client.call('GET', `${stranger}/${String(rule['id'])}`),
    ]) {
      expectRefusal(reply, 404, 'QosPolicyNotFound');
    }
    for (const other of kinds) {
      if (other.collection === collection) continue;
      const elsewhere = await client.call('GET', `/v2.0/${base}/${other.collection}/${String(rule['id'])}`);
      expectRefusal(elsewhere, 404, 'QosRuleNotFound');
    }
    expect(await under.content()).toEqual(before);
  });
});

describe('rules of a policy', () => {
  it('are one a kind and direction, also when turned around or sent together', async () => {
    const path = `${base}/bandwidth_limit_rules`;
    const url = `/v2.0/${path}`;
    const bulk = (directions: string[]) =>
      client.call('POST', url, {
        bandwidth_limit_rules: directions.map((direction, n) => ({ max_kbps: 100 + n, direction })),
      });
    expectRefusal(await bulk(['egress', 'egress']), 409, 'QoSRulesConflict');
    expect(await client.list(path)).toEqual([]);
    const both = await bulk(['egress', 'ingress']);
    expect(both.status).toBe(201);
    const [out, into] = both.body['bandwidth_limit_rules'] as Json[];
    expect(out).toMatchObject({ max_kbps: 100, direction: 'egress' });
    const turned = await client.call('PUT', `${url}/${String(into?.['id'])}`, {
      bandwidth_limit_rule: { direction: 'egress' },
    });
    expectRefusal(turned, 409, 'QoSRulesConflict');
    await client.make(`${base}/packet_rate_limit_rules`, { max_kpps: 1 });
    await client.make(`${base}/dscp_marking_rules`, { dscp_mark: 46 });
    const types = (await client.show('qos/policies', policy['id']))['rules'] as Json[];
    expect(types.map((rule) => rule['type'])).toEqual([
      'bandwidth_limit',
      'bandwidth_limit',
      'packet_rate_limit',
      'dscp_marking',
    ]);
  });

  it('are what the switches are told', async () => {
    const held = async () => {
      const [entry] = (await under.store.snapshot(['qos/'])).entries;
      return qosPolicyOf(JSON.parse(entry?.value ?? '') as QosPolicyRecord);
    };
    const none = { bandwidth: null, packets: null };
    expect(await held()).toEqual({ id: policy['id'], egress: none, ingress: none, dscp: null });
    const bandwidth = await client.make(`${base}/bandwidth_limit_rules`, { max_kbps: 1000 });
    await client.make(`${base}/bandwidth_limit_rules`, {
      max_kbps: 300,
      max_burst_kbps: 40,
      direction: 'ingress',
    });
    await client.make(`${base}/packet_rate_limit_rules`, { max_kpps: 2, max_burst_kpps: 1 });
    await client.make(`${base}/dscp_marking_rules`, { dscp_mark: 46 });
    expect(await held()).toEqual({
      id: policy['id'],
      egress: { bandwidth: { rate: 1000, burst: 800 }, packets: { rate: 2000, burst: 1000 } },
      ingress: { bandwidth: { rate: 300, burst: 40 }, packets: null },
      dscp: 46,
    });
    // Nothing is no limit, not a limit of nothing.
    await client.change(`${base}/bandwidth_limit_rules`, bandwidth['id'], { max_kbps: 0 });
    expect((await held()).egress.bandwidth).toBe(null);
  });
});

describe('rule types', () => {
  it('are those that a switch can hold to', async () => {
    const types = async (query = '') =>
      (await client.list('qos/rule-types', query)).map((one) => one['type']);
    const offered = ['bandwidth_limit', 'dscp_marking', 'packet_rate_limit'];
    const { body } = await client.call('GET', '/v2.0/qos/rule-types');
    expect(body).toEqual({ rule_types: offered.map((type) => ({ type })) });
    expect(await types('all_supported=True')).toEqual(offered);
    expect(await types('all_rules=True')).toEqual([...offered, 'minimum_bandwidth', 'minimum_packet_rate']);
    expect(await types('type=dscp_marking')).toEqual(['dscp_marking']);
  });

  it('tell what their parameters may be', async () => {
    const details = async (type: string) => {
      const { status, body } = await client.call('GET', `/v2.0/qos/rule-types/${type}`);
      expect(status).toBe(200);
      return body['rule_type'] as Json;
    };
    expect(await details('bandwidth_limit')).toEqual({
      type: 'bandwidth_limit',
      drivers: [
        {
          name: 'openvswitch',
          supported_parameters: [
            {
              parameter_name: 'max_kbps',
              parameter_type: 'range',
              parameter_values: { start: 0, end: 2_147_483_647 },
            },
            {
              parameter_name: 'max_burst_kbps',
              parameter_type: 'range',
              parameter_values: { start: 0, end: 2_147_483_647 },
            },
            {
              parameter_name: 'direction',
              parameter_type: 'choices',
              parameter_values: ['ingress', 'egress'],
            },
          ],
        },
      ],
    });
    expect(await details('minimum_bandwidth')).toEqual({ type: 'minimum_bandwidth', drivers: [] });
    expectRefusal(await client.call('GET', '/v2.0/qos/rule-types/magic'), 404, 'HTTPNotFound');
  });

  it('do not include guarantees', async () => {
    for (const [collection, attributes] of [
      ['minimum_bandwidth_rules', { min_kbps: 1 }],
      ['minimum_packet_rate_rules', { min_kpps: 1 }],
    ] as const) {
      const reply = await client.call('POST', `/v2.0/${base}/${collection}`, {
        [collection.slice(0, -1)]: attributes,
      });
      expectRefusal(reply, 404, 'HTTPNotFound');
    }
  });
});
