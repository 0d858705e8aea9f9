import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../model/keys.ts';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type TestReply,
  type UnderTest,
} from '../testing/api-under-test.ts';

let under: UnderTest;
let client: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
});
afterEach(() => under.close());

const unknownId = '3b0a6f4e-5d1a-4a53-8f0c-0d9f3ac5a111';
const policies = 'qos/policies';
const put = (path: string, name: string, id: unknown, attributes: Json) =>
  client.call('PUT', `/v2.0/${path}/${String(id)}`, { [name]: attributes });
const usesOf = async (policy: Json) =>
  (await under.content())
    .map(([key]) => key)
    .filter((key) => key.startsWith(keys.qosPolicyUse.under(String(policy['id']))));

describe('QoS policies', () => {
  it('are made, changed, found and removed', async () => {
    const policy = await client.make(policies, { name: 'gold', description: 'd' });
    expect(policy).toMatchObject({
      name: 'gold',
      description: 'd',
      shared: false,
      is_default: false,
      rules: [],
      revision_number: 1,
      tenant_id: policy['project_id'],
    });
    await client.make(policies, { name: 'silver', shared: 'True', project_id: 'b' });
    expect(await client.list(policies, 'name=gold')).toEqual([policy]);
    expect(await client.list(policies, 'shared=true&fields=name')).toEqual([{ name: 'silver' }]);
    expect(await client.list(policies, 'is_default=true')).toEqual([]);
    const sorted = await client.list(policies, 'sort_key=name&sort_dir=desc');
    expect(sorted.map((one) => one['name'])).toEqual(['silver', 'gold']);
    expect(await client.change(policies, policy['id'], { name: 'g', shared: true })).toMatchObject({
      name: 'g',
      shared: true,
      revision_number: 2,
    });
    await client.remove(policies, policy['id']);
    const url = `/v2.0/${policies}/${String(policy['id'])}`;
    const text = `QoS policy ${String(policy['id'])} could not be found.`;
    for (const method of ['GET', 'DELETE'] as const)
      expect(expectRefusal(await client.call(method, url), 404, 'QosPolicyNotFound')).toBe(text);
    expectRefusal(await put(policies, 'policy', policy['id'], { name: 'x' }), 404, 'QosPolicyNotFound');
  });

  it('come several at once, all or none', async () => {
    const post = (list: Json[]) => client.call('POST', `/v2.0/${policies}`, { policies: list });
    const made = await post([{ name: 'a' }, { name: 'b' }]);
    expect(made.status).toBe(201);
    expect((made.body['policies'] as Json[]).map((one) => one['name'])).toEqual(['a', 'b']);
    const before = await under.content();
    const twice = [
      { name: 'c', is_default: true },
      { name: 'd', is_default: true },
    ];
    expectRefusal(await post(twice), 409, 'QoSPolicyDefaultAlreadyExists');
    expect(await under.content()).toEqual(before);
  });

  it('are refused with rules of the request, unknown words and wrong values', async () => {
    const before = await under.content();
    for (const [attributes, text] of [
      [{ rules: [] }, "Attribute 'rules' not allowed in POST"],
      [{ colour: 'red' }, "Unrecognized attribute(s) 'colour'"],
      [{ name: 'x'.repeat(256) }, 'exceeds maximum length of 255'],
    ] as const) {
      const reply = await client.call('POST', `/v2.0/${policies}`, { policy: attributes });
      expect(expectRefusal(reply, 400, 'HTTPBadRequest')).toContain(text);
    }
    const reply = await client.call('POST', `/v2.0/${policies}`, { policy: { is_default: 'maybe' } });
    expectRefusal(reply, 400, 'InvalidInput');
    expect(await under.content()).toEqual(before);
  });

  it('have one default a project, which its new networks begin with', async () => {
    const first = await client.make(policies, { is_default: true });
    const second = await client.make(policies, {});
    const foreign = await client.make(policies, { is_default: true, project_id: 'b' });
    const again = await client.call('POST', `/v2.0/${policies}`, { policy: { is_default: true } });
    expect(expectRefusal(again, 409, 'QoSPolicyDefaultAlreadyExists')).toBe(
      `A default QoS policy exists for project ${String(first['project_id'])}.`,
    );
    const turned = await put(policies, 'policy', second['id'], { is_default: true });
    expectRefusal(turned, 409, 'QoSPolicyDefaultAlreadyExists');
    expect((await put(policies, 'policy', first['id'], { is_default: true })).status).toBe(200);
    const policyOf = async (attributes: Json) => (await client.make('networks', attributes))['qos_policy_id'];
    expect(await policyOf({})).toBe(first['id']);
    expect(await policyOf({ qos_policy_id: null })).toBe(first['id']);
    expect(await policyOf({ qos_policy_id: second['id'] })).toBe(second['id']);
    expect(await policyOf({ project_id: 'b' })).toBe(foreign['id']);
    expect(await policyOf({ project_id: 'c' })).toBe(null);
    await client.change(policies, first['id'], { is_default: false });
    expect(await policyOf({})).toBe(null);
    await client.change(policies, second['id'], { is_default: true });
    expect(await policyOf({})).toBe(second['id']);
    // The place of a default that is gone is free again.
    const other = await client.make(policies, { is_default: true, project_id: 'd' });
    await client.remove(policies, other['id']);
    await client.make(policies, { is_default: true, project_id: 'd' });
  });
});

describe('a port or network', () => {
  it('takes a policy, changes it and gives it back', async () => {
    const gold = await client.make(policies, { name: 'gold' });
    const iron = await client.make(policies, { name: 'iron' });
    const network = await client.make('networks', { qos_policy_id: gold['id'] });
    expect(network['qos_policy_id']).toBe(gold['id']);
    const port = await client.make('ports', { network_id: network['id'] });
    expect(port).toMatchObject({ qos_policy_id: null, qos_network_policy_id: gold['id'] });
    expect(await client.change('ports', port['id'], { qos_policy_id: iron['id'] })).toMatchObject({
      qos_policy_id: iron['id'],
      qos_network_policy_id: gold['id'],
    });
    expect(await usesOf(gold)).toEqual([keys.qosPolicyUse(String(gold['id']), String(network['id']))]);
    expect(await usesOf(iron)).toEqual([keys.qosPolicyUse(String(iron['id']), String(port['id']))]);
    // A change that says nothing of policies leaves them.
    await client.change('ports', port['id'], { name: 'p' });
    await client.change('networks', network['id'], { name: 'n' });
    const idsOf = async (path: string, policy: Json) =>
      (await client.list(path, `qos_policy_id=${String(policy['id'])}`)).map((one) => one['id']);
    expect(await idsOf('ports', iron)).toEqual([port['id']]);
    expect(await idsOf('ports', gold)).toEqual([]);
    expect(await idsOf('networks', gold)).toEqual([network['id']]);

    const removal = (policy: Json) => client.call('DELETE', `/v2.0/${policies}/${String(policy['id'])}`);
    expect(expectRefusal(await removal(gold), 409, 'QosPolicyInUse')).toBe(
      `QoS Policy ${String(gold['id'])} is used by network ${String(network['id'])}.`,
    );
    expect(expectRefusal(await removal(iron), 409, 'QosPolicyInUse')).toBe(
      `QoS Policy ${String(iron['id'])} is used by port ${String(port['id'])}.`,
    );
    await client.change('networks', network['id'], { qos_policy_id: iron['id'] });
    expect(await client.show('ports', port['id'])).toMatchObject({ qos_network_policy_id: iron['id'] });
    await client.remove(policies, gold['id']);
    await client.change('ports', port['id'], { qos_policy_id: null });
    expect(await usesOf(iron)).toHaveLength(1);
    await client.change('networks', network['id'], { qos_policy_id: null });
    expect(await client.show('ports', port['id'])).toMatchObject({
      qos_policy_id: null,
      qos_network_policy_id: null,
    });
    expect(await usesOf(iron)).toEqual([]);
    await client.remove(policies, iron['id']);
  });

  it('gives its policy back when it is removed', async () => {
    const policy = await client.make(policies, {});
    const network = await client.make('networks', { qos_policy_id: policy['id'] });
    const port = await client.make('ports', { network_id: network['id'], qos_policy_id: policy['id'] });
    expect(await usesOf(policy)).toHaveLength(2);
    await client.remove('ports', port['id']);
    expect(await usesOf(policy)).toHaveLength(1);
    await client.make('ports', {
      network_id: network['id'],
      device_owner: 'network:dhcp',
      qos_policy_id: policy['id'],
    });
    await client.remove('networks', network['id']);
    expect(await usesOf(policy)).toEqual([]);
    await client.remove(policies, policy['id']);
  });

  it('is refused a policy that is not there', async () => {
    const network = await client.make('networks', {});
    const port = await client.make('ports', { network_id: network['id'] });
    const before = await under.content();
    const unknown = { qos_policy_id: unknownId };
    for (const reply of [
      await client.call('POST', '/v2.0/networks', { network: unknown }),
      await put('networks', 'network', network['id'], unknown),
      await client.call('POST', '/v2.0/ports', { port: { ...unknown, network_id: network['id'] } }),
      await put('ports', 'port', port['id'], unknown),
    ]) {
      expect(expectRefusal(reply, 404, 'QosPolicyNotFound')).toBe(
        `QoS policy ${unknownId} could not be found.`,
      );
    }
    expectRefusal(await put('ports', 'port', port['id'], { qos_policy_id: 7 }), 400, 'HTTPBadRequest');
    const readOnly = await put('ports', 'port', port['id'], { qos_network_policy_id: null });
    expectRefusal(readOnly, 400, 'HTTPBadRequest');
    expect(await under.content()).toEqual(before);
  });

  it('of before QoS has none', async () => {
    const made = await client.make('networks', { name: 'old' });
    const key = keys.network(String(made['id']));
    const [entry] = (await under.store.snapshot([key])).entries;
    const { qos_policy_id: _, ...old } = JSON.parse(entry?.value ?? '{}') as Json;
    await under.store.txn([], [{ op: 'put', key, value: JSON.stringify(old) }]);
    const fresh = await under.server();
    expect(await fresh.show('networks', made['id'])).toMatchObject({ qos_policy_id: null });
    const port = await fresh.make('ports', { network_id: made['id'] });
    expect(port).toMatchObject({ qos_policy_id: null, qos_network_policy_id: null });
    const policy = await fresh.make(policies, {});
    const after = await fresh.change('networks', made['id'], { qos_policy_id: policy['id'] });
    expect(after['qos_policy_id']).toBe(policy['id']);
  });
});

describe('a policy that is shared', () => {
  const share = (policy: Json, target: string) =>
    client.make('rbac-policies', {
      object_type: 'qos_policy',
      object_id: policy['id'],
      target_tenant: target,
      action: 'access_as_shared',
    });
  const unshare = (policy: Json) => put(policies, 'policy', policy['id'], { shared: false });

  it('by attribute stays so while somebody uses it who is not let in otherwise', async () => {
    const policy = await client.make(policies, { shared: true, project_id: 'owner' });
    const network = await client.make('networks', { project_id: 'p', qos_policy_id: policy['id'] });
    expect(expectRefusal(await unshare(policy), 409, 'RbacPolicyInUse')).toContain('tenant_id=p');
    const named = await share(policy, 'p');
    expect((await unshare(policy)).body).toMatchObject({ policy: { shared: false } });
    const url = `/v2.0/rbac-policies/${String(named['id'])}`;
    expectRefusal(await client.call('DELETE', url), 409, 'RbacPolicyInUse');
    await client.change('networks', network['id'], { qos_policy_id: null });
    await client.remove('rbac-policies', named['id']);
  });

  it('with all by an RBAC policy loses it with the attribute', async () => {
    const policy = await client.make(policies, { project_id: 'owner' });
    await share(policy, '*');
    await share(policy, 'p');
    expect(await client.show(policies, policy['id'])).toMatchObject({ shared: true, revision_number: 3 });
    expect(await client.list(policies, 'shared=true')).toHaveLength(1);
    const network = await client.make('networks', {});
    const attributes = { network_id: network['id'], project_id: 'q', qos_policy_id: policy['id'] };
    const port = await client.make('ports', attributes);
    expectRefusal(await unshare(policy), 409, 'RbacPolicyInUse');
    await client.remove('ports', port['id']);
    expect((await unshare(policy)).body).toMatchObject({ policy: { shared: false } });
    expect((await client.list('rbac-policies')).map((one) => one['target_tenant'])).toEqual(['p']);
    await client.remove(policies, policy['id']);
    expect(await client.list('rbac-policies')).toEqual([]);
  });
});

describe('many clients of several servers', () => {
  const times = <T>(count: number, make: (n: number) => T): T[] =>
    Array.from({ length: count }, (_, n) => make(n));
  const typeOf = (reply: TestReply) => (reply.body['NeutronError'] as { type: string } | undefined)?.type;
  let servers: TestClient[];
  beforeEach(async () => {
    servers = [client, await under.server(), await under.server()];
  });
  const serverOf = (n: number): TestClient => servers[n % servers.length] ?? client;

  it('leave no port and no network without its policy', async () => {
    const network = await client.make('networks', {});
    for (const round of times(6, (n) => n)) {
      const policy = await client.make(policies, {});
      const id = String(policy['id']);
      const [gone] = await Promise.all([
        serverOf(round).call('DELETE', `/v2.0/${policies}/${id}`),
        serverOf(round).call('POST', '/v2.0/networks', { network: { qos_policy_id: id } }),
        ...times(3, (n) =>
          serverOf(n).call('POST', '/v2.0/ports', {
            port: { network_id: network['id'], qos_policy_id: id },
          }),
        ),
      ]);
      const naming = (await under.content()).filter(([key, value]) => `${key}${value}`.includes(id));
      if (gone.status === 204) expect(naming).toEqual([]);
      else expectRefusal(gone, 409, 'QosPolicyInUse');
    }
  });

  it('make one default policy and one rule of a kind', async () => {
    const made = await Promise.all(
      times(9, (n) => serverOf(n).call('POST', `/v2.0/${policies}`, { policy: { is_default: true } })),
    );
    expect(made.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(new Set(made.map((reply) => typeOf(reply)))).toEqual(
      new Set([undefined, 'QoSPolicyDefaultAlreadyExists']),
    );
    const [policy] = await client.list(policies, 'is_default=true');
    const url = `/v2.0/${policies}/${String(policy?.['id'])}/bandwidth_limit_rules`;
    const rules = await Promise.all(
      times(12, (n) =>
        serverOf(n).call('POST', url, {
          bandwidth_limit_rule: { max_kbps: 100 + n, direction: n % 2 === 0 ? 'ingress' : 'egress' },
        }),
      ),
    );
    expect(rules.filter(({ status }) => status === 201)).toHaveLength(2);
    expect(new Set(rules.map((reply) => typeOf(reply)))).toEqual(new Set([undefined, 'QoSRulesConflict']));
    const shown = await client.show(policies, policy?.['id']);
    expect(shown['rules']).toHaveLength(2);
    expect(shown['revision_number']).toBe(3);
  });
});
