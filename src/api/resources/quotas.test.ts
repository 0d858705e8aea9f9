import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noQuotas, type QuotaResource, quotaResources, usualQuotas } from '../../model/quota.ts';
import { defaultProject } from '../identity/caller.ts';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';

let under: UnderTest;
let client: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server({ quotas: usualQuotas });
});
afterEach(() => under.close());

const of = (project: string) => `/v2.0/quotas/${project}`;
const setQuota = (quota: Json, project = defaultProject) => client.call('PUT', of(project), { quota });
const exceeded = (...resources: string[]) =>
  `Quota exceeded for resources: [${resources.map((name) => `'${name}'`).join(', ')}].`;

async function used(resource: QuotaResource, project = defaultProject): Promise<unknown> {
  const { body } = await client.call('GET', `${of(project)}/details`);
  return ((body['quota'] as Json)[resource] as Json)['used'];
}

describe('quotas', () => {
  it('are the usual ones until somebody sets others, and again when those are deleted', async () => {
    expect((await client.call('GET', of('p1'))).body).toEqual({ quota: usualQuotas });
    expect((await client.call('GET', '/v2.0/quotas')).body).toEqual({ quotas: [] });
    const set = { ...usualQuotas, port: 7, network: -1 };
    expect(await setQuota({ port: 7, network: '-1' }, 'p1')).toEqual({ status: 200, body: { quota: set } });
    expect((await client.call('GET', of('p1'))).body).toEqual({ quota: set });
    expect((await client.call('GET', `${of('p1')}/default`)).body).toEqual({ quota: usualQuotas });
    expect((await client.call('GET', '/v2.0/quotas')).body).toEqual({
      quotas: [{ ...set, project_id: 'p1', tenant_id: 'p1' }],
    });
    await setQuota({ subnet: 3 }, 'p1');
    expect((await client.call('GET', of('p1'))).body).toEqual({ quota: { ...set, subnet: 3 } });
    expect((await client.call('DELETE', of('p1'))).status).toBe(204);
    expect((await client.call('GET', of('p1'))).body).toEqual({ quota: usualQuotas });
    const gone = expectRefusal(await client.call('DELETE', of('p1')), 404, 'TenantQuotaNotFound');
    expect(gone).toBe('Quota for tenant p1 could not be found.');
  });

  it('tell what is used', async () => {
    const network = await client.make('networks', {});
    const inside = { network_id: network['id'] };
    await client.make('subnets', { ...inside, ip_version: 4, cidr: '10.0.0.0/24' });
    const port = await client.make('ports', inside);
    await client.make('security-groups', { name: 'web' });
    const { body } = await client.call('GET', `${of(defaultProject)}/details`);
    const rows = body['quota'] as Record<string, Json>;
    // The default group has four rules, another one two.
    const expected = {
      network: 1,
      subnet: 1,
      subnetpool: 0,
      port: 1,
      security_group: 2,
      security_group_rule: 6,
      rbac_policy: 0,
      router: 0,
    };
    expect(Object.fromEntries(quotaResources.map((name) => [name, rows[name]?.['used']]))).toEqual(expected);
    expect(rows['port']).toEqual({ limit: 500, used: 1, reserved: 0 });
    await client.remove('ports', port['id']);
    expect(await used('port')).toBe(0);
    expect(await used('network', 'p2')).toBe(0);
  });

  it('name the project that asks', async () => {
    expect((await client.call('GET', '/v2.0/quotas/project')).body).toEqual({
      project: { project_id: defaultProject },
    });
    expect((await client.call('GET', '/v2.0/quotas/tenant')).body).toEqual({
      tenant: { tenant_id: defaultProject },
    });
  });

  it('are not posted', async () => {
    expectRefusal(await client.call('POST', '/v2.0/quotas', { quota: {} }), 501, 'HTTPNotImplemented');
  });

  it('must be whole numbers of things that are counted', async () => {
    for (const port of [1.5, 'many', null]) expectRefusal(await setQuota({ port }), 400, 'InvalidInput');
    for (const quota of [{ port: -2 }, { port: 2 ** 31 }, { trout: 1 }])
      expectRefusal(await setQuota(quota), 400, 'HTTPBadRequest');
    expectRefusal(await client.call('PUT', of('p'), { limits: {} }), 400, 'HTTPBadRequest');
    expectRefusal(await client.call('PUT', of('p'), { quota: [] }), 400, 'HTTPBadRequest');
    expectRefusal(await client.call('PUT', of(`p%20q`), { quota: { port: 1 } }), 400, 'HTTPBadRequest');
    expect((await client.call('GET', '/v2.0/quotas')).body).toEqual({ quotas: [] });
  });

  it('do not go below what is used unless the request says so', async () => {
    await client.make('networks', {});
    for (const more of [
      {},
      { check_limit: true },
      { check_limit: false },
      { force: false },
      { force: null },
    ]) {
      const refused = await setQuota({ network: 0, ...more });
      expect(expectRefusal(refused, 400, 'HTTPBadRequest')).toBe(
        'Quota limit 0 for network must be greater than or equal to already used 1',
      );
    }
    expect((await setQuota({ network: 1 })).status).toBe(200);
    expect((await setQuota({ network: 0, force: true })).status).toBe(200);
    expectRefusal(await client.call('POST', '/v2.0/networks', { network: {} }), 409, 'OverQuota');
    expect((await setQuota({ network: 0, force: true })).status).toBe(200);
    expect((await setQuota({ network: -1 })).status).toBe(200);
  });

  it('stop each kind of creation, single and bulk, and leave nothing behind', async () => {
    const network = await client.make('networks', {});
    const inside = { network_id: network['id'] };
    const group = await client.make('security-groups', { name: 'web' });
    const rule = (port: number) => ({
      security_group_id: group['id'],
      direction: 'ingress',
      protocol: 'tcp',
      port_range_min: port,
      port_range_max: port,
    });
    const share = (target: string) => ({
      object_type: 'network',
      object_id: network['id'],
      action: 'access_as_shared',
      target_tenant: target,
    });
    const cases: [path: string, name: string, resource: QuotaResource, item: (at: number) => Json][] = [
      ['networks', 'network', 'network', () => ({})],
      ['subnets', 'subnet', 'subnet', (at) => ({ ...inside, ip_version: 4, cidr: `10.${at}.0.0/24` })],
      ['ports', 'port', 'port', () => inside],
      ['security-groups', 'security_group', 'security_group', (at) => ({ name: `g${at}` })],
      ['security-group-rules', 'security_group_rule', 'security_group_rule', rule],
      ['rbac-policies', 'rbac_policy', 'rbac_policy', (at) => share(`p${at}`)],
    ];
    for (const [path, name, resource, item] of cases) {
      const room = Number(await used(resource)) + 2;
      expect((await setQuota({ [resource]: room })).status).toBe(200);
      const url = `/v2.0/${path}`;
      const before = await under.content();
      const bulk = { [path.replaceAll('-', '_')]: [1, 2, 3].map(item) };
      expect(expectRefusal(await client.call('POST', url, bulk), 409, 'OverQuota')).toBe(exceeded(resource));
      expect(await under.content(), path).toEqual(before);
      for (const at of [1, 2])
        expect((await client.call('POST', url, { [name]: item(at) })).status).toBe(201);
      expectRefusal(await client.call('POST', url, { [name]: item(3) }), 409, 'OverQuota');
      expect(await used(resource)).toBe(room);
      await setQuota({ [resource]: -1 });
      expect((await client.call('POST', url, { [name]: item(3) })).status).toBe(201);
    }
  });

  it('count the rules that groups begin with, the default group of a project too', async () => {
    await setQuota({ security_group_rule: 3 }, 'p1');
    const post = (path: string, name: string, project: string) =>
      client.call('POST', `/v2.0/${path}`, { [name]: { project_id: project } });
    const text = expectRefusal(await post('networks', 'network', 'p1'), 409, 'OverQuota');
    expect(text).toBe(exceeded('security_group_rule'));
    expectRefusal(await post('security-groups', 'security_group', 'p1'), 409, 'OverQuota');
    expect(await used('security_group', 'p1')).toBe(0);
    await setQuota({ security_group_rule: 5 }, 'p1');
    expect((await post('networks', 'network', 'p1')).status).toBe(201);
    expectRefusal(await post('security-groups', 'security_group', 'p1'), 409, 'OverQuota');
    expect(await used('security_group_rule', 'p1')).toBe(4);
  });

  it('are of the project that the thing is made for', async () => {
    await setQuota({ network: 0 }, 'p1');
    expectRefusal(
      await client.call('POST', '/v2.0/networks', { network: { tenant_id: 'p1' } }),
      409,
      'OverQuota',
    );
    await client.make('networks', {});
    const bulk = { networks: [{}, { project_id: 'p1' }] };
    expectRefusal(await client.call('POST', '/v2.0/networks', bulk), 409, 'OverQuota');
    expect(await used('network')).toBe(1);
  });

  it('are asked before the rest of a request is looked at', async () => {
    await setQuota({ port: 0 });
    const nowhere = { network_id: '3b0a6f4e-5d1a-4a53-8f0c-0d9f3ac5a111' };
    expectRefusal(await client.call('POST', '/v2.0/ports', { port: nowhere }), 409, 'OverQuota');
  });
});

describe('without limits', () => {
  it('nothing is counted against anybody', async () => {
    const free = await under.server();
    expect((await free.call('GET', of('p'))).body).toEqual({ quota: noQuotas });
    for (let at = 0; at < 11; at++) await free.make('security-groups', { name: `g${at}` });
  });
});

describe('the last places of a quota', () => {
  it.each(['memory', 'embedded'] as const)(
    'go to as many requests as there are, on a %s store',
    async (kind) => {
      const own = await openUnderTest(kind);
      try {
        const first = await own.server({ quotas: usualQuotas });
        const second = await own.server({ quotas: usualQuotas });
        const network = await first.make('networks', {});
        const limits = { port: 7, network: 4, security_group: 5 };
        await first.call('PUT', of(defaultProject), { quota: limits });
        const racers: [path: string, name: string, body: Json, free: number][] = [
          ['ports', 'port', { network_id: network['id'] }, 7],
          ['networks', 'network', {}, 3],
          ['security-groups', 'security_group', { name: 'g' }, 4],
        ];
        for (const [path, name, body, free] of racers) {
          const replies = await Promise.all(
            Array.from({ length: 24 }, (_, at) =>
              (at % 2 === 0 ? first : second).call(
                'POST',
                `/v2.0/${path}`,
                at % 3 === 0 ? { [path.replace('-', '_')]: [body] } : { [name]: body },
              ),
            ),
          );
          const statuses = replies.map((reply) => reply.status);
          expect(statuses.filter((status) => status === 201)).toHaveLength(free);
          expect(statuses.filter((status) => status === 409)).toHaveLength(24 - free);
        }
        expect(await first.list('ports')).toHaveLength(7);
      } finally {
        await own.close();
      }
    },
  );

  it('are not taken from under a limit that is being lowered', async () => {
    for (let round = 0; round < 8; round++) {
      const project = `q${round}`;
      const other = await under.server({ quotas: usualQuotas });
      const make = { network: { project_id: project } };
      const [set, ...made] = await Promise.all([
        setQuota({ network: 1 }, project),
        ...[client, other, client, other].map((one) => one.call('POST', '/v2.0/networks', make)),
      ]);
      const count = made.filter((reply) => reply.status === 201).length;
      expect(await used('network', project)).toBe(count);
      // Either the limit came first, or it was refused for what was there already.
      if (set?.status === 200) expect(count).toBeLessThanOrEqual(1);
      else expect(count).toBeGreaterThan(1);
    }
  });
});
