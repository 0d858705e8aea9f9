import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type TestReply,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { as, byName } from '../testing/people.ts';
import { attached, expectWhole, networkWith, removeInterface } from '../testing/routed.ts';

let under: UnderTest;
let admin: TestClient;
let owner: TestClient;
let reader: TestClient;
let stranger: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  const { api } = await under.server({ authenticator: byName });
  admin = as(api, 'admin');
  owner = as(api, 'owner');
  reader = as(api, 'reader');
  stranger = as(api, 'stranger');
});
afterEach(async () => {
  await expectWhole(under);
  await under.close();
});

const urlOf = (router: Json, rest = ''): string => `/v2.0/routers/${String(router['id'])}${rest}`;

describe('routers', () => {
  it('begin without ports and routes', async () => {
    const router = await owner.make('routers', { name: 'r' });
    expect(router).toEqual({
      id: expect.any(String),
      name: 'r',
      description: '',
      project_id: 'own',
      tenant_id: 'own',
      admin_state_up: true,
      status: 'ACTIVE',
      distributed: false,
      ha: false,
      external_gateway_info: null,
      routes: [],
      tags: [],
      revision_number: 1,
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
    expect(await owner.show('routers', router['id'])).toEqual(router);
  });

  it('change, each time by one revision', async () => {
    const router = await owner.make('routers', {});
    const change = { name: 'x', description: 'd', admin_state_up: false };
    expect(await owner.change('routers', router['id'], change)).toMatchObject({
      ...change,
      revision_number: 2,
    });
    expect(await owner.change('routers', router['id'], change)).toMatchObject({ revision_number: 2 });
    const late = { 'if-match': 'revision_number=1' };
    expectRefusal(
      await owner.call('PUT', urlOf(router), { router: { name: 'y' } }, late),
      412,
      'RevisionNumberConstraintFailed',
    );
  });

  it('are their project’s alone', async () => {
    const router = await owner.make('routers', { name: 'mine' });
    expect((await reader.list('routers')).map(({ name }) => name)).toEqual(['mine']);
    expect(await stranger.list('routers')).toEqual([]);
    const put = (client: TestClient): Promise<TestReply> =>
      client.call('PUT', urlOf(router), { router: { name: 'theirs' } });
    expect(expectRefusal(await put(stranger), 404, 'RouterNotFound')).toBe(
      `Router ${String(router['id'])} could not be found`,
    );
    expectRefusal(await stranger.call('DELETE', urlOf(router)), 404, 'RouterNotFound');
    expectRefusal(await put(reader), 403, 'PolicyNotAuthorized');
    expectRefusal(await reader.call('POST', '/v2.0/routers', { router: {} }), 403, 'PolicyNotAuthorized');
    for (const word of ['add_router_interface', 'remove_router_interface', 'add_extraroutes']) {
      const body = { subnet_id: router['id'], routes: [] };
      expectRefusal(await stranger.call('PUT', urlOf(router, `/${word}`), body), 404, 'RouterNotFound');
      const refused = await reader.call('PUT', urlOf(router, `/${word}`), body);
      expect(expectRefusal(refused, 403, 'PolicyNotAuthorized')).toBe(`rule:${word} is disallowed by policy`);
    }
    expect(await admin.change('routers', router['id'], { name: 'seen' })).toMatchObject({
      project_id: 'own',
    });
  });

  it('are found by name, state, project and tags, and ordered by status too', async () => {
    const first = await owner.make('routers', { name: 'a' });
    await owner.make('routers', { name: 'b', admin_state_up: false });
    await owner.call('PUT', urlOf(first, '/tags'), { tags: ['blue'] });
    const names = async (query: string): Promise<unknown[]> =>
      (await owner.list('routers', query)).map(({ name }) => name);
    expect(await names('name=a')).toEqual(['a']);
    expect(await names('admin_state_up=false')).toEqual(['b']);
    expect(await names('tags=blue')).toEqual(['a']);
    expect(await names('project_id=foreign')).toEqual([]);
    expect(await names('sort_key=status&sort_key=name&sort_dir=asc&sort_dir=desc')).toEqual(['b', 'a']);
    for (const name of ['status', 'routes', 'external_gateway_info'])
      expectRefusal(await owner.call('GET', `/v2.0/routers?${name}=x`), 400, 'HTTPBadRequest');
  });

  it('are counted', async () => {
    await admin.call('PUT', '/v2.0/quotas/own', { quota: { router: 1 } });
    const router = await owner.make('routers', {});
    const text = expectRefusal(await owner.call('POST', '/v2.0/routers', { router: {} }), 409, 'OverQuota');
    expect(text).toBe("Quota exceeded for resources: ['router'].");
    await owner.remove('routers', router['id']);
    await owner.make('routers', {});
  });

  it('say what they do not take', async () => {
    const post = (body: Json): Promise<TestReply> => owner.call('POST', '/v2.0/routers', { router: body });
    expect(expectRefusal(await post({ routes: [] }), 400, 'HTTPBadRequest')).toBe(
      "Attribute 'routes' not allowed in POST",
    );
    for (const body of [{ flavor_id: null }, { availability_zone_hints: [] }])
      expect(expectRefusal(await post(body), 400, 'HTTPBadRequest')).toMatch(/^Unrecognized attribute/);
    for (const body of [{ distributed: true }, { ha: true }])
      expect(expectRefusal(await post(body), 400, 'HTTPBadRequest')).toMatch(/ not allowed in POST$/);
    expectRefusal(await post({ status: 'ACTIVE' }), 400, 'HTTPBadRequest');
    const router = await owner.make('routers', {});
    expectRefusal(
      await owner.call('GET', urlOf(router, '/add_router_interface')),
      405,
      'HTTPMethodNotAllowed',
    );
  });
});

describe('routes of routers', () => {
  const route = (destination: string, nexthop: string) => ({ destination, nexthop });
  let router: Json;
  let subnet: Json;
  beforeEach(async () => {
    router = await owner.make('routers', {});
    ({ subnet } = await networkWith(owner, '10.1.0.0/24'));
    await attached(owner, router, subnet);
  });
  const put = (routes: unknown): Promise<TestReply> =>
    owner.call('PUT', urlOf(router), { router: { routes } });
  const act = (word: string, routes: unknown): Promise<TestReply> =>
    owner.call('PUT', urlOf(router, `/${word}`), { router: { routes } });
  const shown = (reply: TestReply): unknown => (reply.body['router'] as Json | undefined)?.['routes'];

  it('are replaced as a whole, each a revision', async () => {
    const routes = [route('10.9.0.0/16', '10.1.0.9'), route('10.8.0.0/16', '10.1.0.9')];
    const set = await put(routes);
    expect(shown(set)).toEqual(routes.toReversed());
    expect((set.body['router'] as Json)['revision_number']).toBe(3);
    expect(shown(await put(null))).toEqual([]);
  });

  it('go by hosts of the router’s subnets that are not the router', async () => {
    expect(expectRefusal(await put([route('10.9.0.0/16', '10.2.0.9')]), 400, 'InvalidRoutes')).toBe(
      "Invalid format for routes: [{'destination': '10.9.0.0/16', 'nexthop': '10.2.0.9'}], " +
        'the nexthop is not connected with router',
    );
    expect(expectRefusal(await put([route('10.9.0.0/16', '10.1.0.1')]), 400, 'InvalidRoutes')).toMatch(
      /the nexthop is used by router$/,
    );
    const twice = [route('10.9.0.0/16', '10.1.0.9'), route('10.9.0.0/16', '10.1.0.9')];
    expect(expectRefusal(await put(twice), 400, 'HTTPBadRequest')).toMatch(/Duplicate hostroute/);
    const text = async (to: string): Promise<string> =>
      expectRefusal(await put([route(to, '10.1.0.9')]), 400, 'HTTPBadRequest').slice(34);
    expect(await text('10.50.0.1/16')).toBe(
      "'10.50.0.1/16' is not a recognized CIDR, '10.50.0.0/16' is recommended.",
    );
    expect(await text('10.50.0.0')).toBe(
      "'10.50.0.0' is not a recognized CIDR, '10.50.0.0/32' is recommended.",
    );
    expect(await text('127.0.0.0/8')).toBe("'127.0.0.0/8' is not a routable CIDR.");
    expect(await text('x')).toBe("'x' is not a valid CIDR.");
    for (const bad of ['x', [{ destination: '10.9.0.0/16' }], [route('x', '10.1.0.9')]])
      expectRefusal(await put(bad), 400, 'HTTPBadRequest');
  });

  it('are thirty at most', async () => {
    const routes = Array.from({ length: 31 }, (_, at) => route(`10.9.${at}.0/24`, '10.1.0.9'));
    expect(expectRefusal(await put(routes), 400, 'RoutesExhausted')).toBe(
      `Unable to complete operation for ${String(router['id'])}. The number of routes exceeds the maximum 30.`,
    );
    expect((await put(routes.slice(1))).status).toBe(200);
    expectRefusal(await act('add_extraroutes', routes), 400, 'RoutesExhausted');
  });

  it('are added and removed one by one', async () => {
    const [a, b, c] = ['10.7.0.0/16', '10.8.0.0/16', '10.9.0.0/16'].map((to) => route(to, '10.1.0.9'));
    expect(shown(await act('add_extraroutes', [b]))).toEqual([b]);
    expect(shown(await act('add_extraroutes', [c, b, a]))).toEqual([a, b, c]);
    expect(shown(await act('remove_extraroutes', [b, route('10.7.0.0/16', '10.1.0.8')]))).toEqual([a, c]);
    expectRefusal(await act('add_extraroutes', [route('10.9.0.0/16', '10.2.0.9')]), 400, 'InvalidRoutes');
    for (const word of ['add_extraroutes', 'remove_extraroutes'])
      for (const body of [{}, { routes: 'x' }, [], 'x'])
        expectRefusal(await owner.call('PUT', urlOf(router, `/${word}`), body), 400, 'HTTPBadRequest');
  });

  it('keep the interface that they go by', async () => {
    await put([route('10.9.0.0/16', '10.1.0.9')]);
    const gone = (): Promise<TestReply> => removeInterface(owner, router, { subnet_id: subnet['id'] });
    expect(expectRefusal(await gone(), 409, 'RouterInterfaceInUseByRoute')).toBe(
      `Router interface for subnet ${String(subnet['id'])} on router ${String(router['id'])} cannot be deleted, ` +
        'as it is required by one or more routes.',
    );
    await put([]);
    expect((await gone()).status).toBe(200);
  });
});
