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
import {
  addInterface,
  attached,
  expectWhole,
  externalWith,
  networkWith,
  setGateway,
} from '../testing/routed.ts';

let under: UnderTest;
let admin: TestClient;
let owner: TestClient;
let outer: Json;
let subnet: Json;
beforeEach(async () => {
  under = await openUnderTest('memory');
  const { api } = await under.server({ authenticator: byName });
  admin = as(api, 'admin');
  owner = as(api, 'owner');
  ({ network: outer, subnet } = await externalWith(admin));
});
afterEach(async () => {
  await expectWhole(under);
  await under.close();
});

const idOf = (thing: Json): string => String(thing['id']);
const portsOf = (client: TestClient, router: Json): Promise<Json[]> =>
  client.list('ports', `device_id=${idOf(router)}`);
const gatewayIn = (reply: TestReply): unknown =>
  (reply.body['router'] as Json | undefined)?.['external_gateway_info'];

describe('gateways', () => {
  it('are ports that no project has, with translation unless somebody says otherwise', async () => {
    const router = await owner.make('routers', { external_gateway_info: { network_id: outer['id'] } });
    expect(router['external_gateway_info']).toEqual({
      network_id: outer['id'],
      enable_snat: true,
      external_fixed_ips: [{ subnet_id: subnet['id'], ip_address: '203.0.113.2' }],
    });
    expect(await owner.show('routers', router['id'])).toEqual(router);
    expect(await portsOf(owner, router)).toEqual([]);
    expect(await portsOf(admin, router)).toMatchObject([
      {
        project_id: '',
        network_id: outer['id'],
        device_owner: 'network:router_gateway',
        port_security_enabled: false,
        status: 'DOWN',
      },
    ]);
    const cleared = await setGateway(owner, router, null);
    expect(gatewayIn(cleared)).toBeNull();
    expect(await portsOf(admin, router)).toEqual([]);
    expect(gatewayIn(await setGateway(owner, router, {}))).toBeNull();
  });

  it('keep their addresses while the network stays, and move when they are told to', async () => {
    const router = await admin.make('routers', {});
    const set = (more: Json): Promise<TestReply> =>
      setGateway(admin, router, { network_id: outer['id'], ...more });
    expect(gatewayIn(await set({ enable_snat: false }))).toMatchObject({ enable_snat: false });
    const [port] = await portsOf(admin, router);
    expect(gatewayIn(await set({}))).toMatchObject({ enable_snat: true });
    expect(gatewayIn(await set({ enable_snat: 'no' }))).toMatchObject({ enable_snat: false });
    const at = { subnet_id: subnet['id'], ip_address: '203.0.113.77' };
    expect(gatewayIn(await set({ external_fixed_ips: [at] }))).toMatchObject({ external_fixed_ips: [at] });
    expect(gatewayIn(await set({ external_fixed_ips: [] }))).toMatchObject({ external_fixed_ips: [at] });
    const named = [{ subnet_id: subnet['id'] }];
    expect(gatewayIn(await set({ external_fixed_ips: named }))).toMatchObject({ external_fixed_ips: [at] });
    expect((await portsOf(admin, router)).map(({ id }) => id)).toEqual([port?.['id']]);
    const { network: next } = await externalWith(admin, '198.51.100.0/24');
    const moved = await setGateway(admin, router, { network_id: next['id'] });
    expect(gatewayIn(moved)).toMatchObject({ network_id: next['id'] });
    expect(await portsOf(admin, router)).toMatchObject([{ network_id: next['id'] }]);
  });

  it('show the addresses that their ports have', async () => {
    const router = await admin.make('routers', { external_gateway_info: { network_id: outer['id'] } });
    const [port] = await portsOf(admin, router);
    const ips = [{ subnet_id: subnet['id'], ip_address: '203.0.113.9' }];
    await admin.change('ports', port?.['id'], { fixed_ips: ips });
    expect(await admin.show('routers', router['id'])).toMatchObject({
      external_gateway_info: { external_fixed_ips: ips },
    });
  });

  it('are on external networks, at addresses that are free and not the network’s own', async () => {
    const router = await admin.make('routers', {});
    const { network: inner } = await networkWith(admin, '10.1.0.0/24');
    const refused = async (status: number, type: string, wanted: unknown): Promise<string> =>
      expectRefusal(await setGateway(admin, router, wanted as Json), status, type);
    expect(await refused(400, 'BadRequest', { network_id: inner['id'] })).toBe(
      `Bad router request: Network ${idOf(inner)} is not an external network.`,
    );
    await refused(404, 'NetworkNotFound', { network_id: router['id'] });
    const at = (ip: string) => ({ network_id: outer['id'], external_fixed_ips: [{ ip_address: ip }] });
    expect(await refused(400, 'BadRequest', at('203.0.113.1'))).toBe(
      'Bad router request: External IP 203.0.113.1 is the same as the gateway IP.',
    );
    await refused(400, 'InvalidIpForNetwork', at('192.0.2.1'));
    await admin.make('ports', { network_id: outer['id'], fixed_ips: [{ ip_address: '203.0.113.50' }] });
    await refused(409, 'IpAddressAlreadyAllocated', at('203.0.113.50'));
    expect(await refused(400, 'HTTPBadRequest', 'a')).toMatch(/'a' is not a dictionary/);
    expect(await refused(400, 'HTTPBadRequest', { x: 1 })).toBe(
      "Invalid input for external_gateway_info. Reason: Validation of dictionary's keys failed. " +
        "Expected keys: {'network_id'} Provided keys: {'x'}.",
    );
    await refused(400, 'HTTPBadRequest', { network_id: 'x' });
    expect(await refused(400, 'HTTPBadRequest', { network_id: outer['id'], qos_policy_id: null })).toBe(
      'Invalid input for external_gateway_info. Reason: Unexpected keys supplied: qos_policy_id.',
    );
    await refused(400, 'HTTPBadRequest', { network_id: outer['id'], external_fixed_ips: null });
    await refused(400, 'HTTPBadRequest', { network_id: outer['id'], external_fixed_ips: 'x' });
    await refused(400, 'InvalidInput', { network_id: outer['id'], enable_snat: 'x' });
    expect(await portsOf(admin, router)).toEqual([]);
  });

  it('are chosen by members, their details by administrators', async () => {
    const router = await owner.make('routers', {});
    const set = (more: Json): Promise<TestReply> =>
      setGateway(owner, router, { network_id: outer['id'], ...more });
    expect(expectRefusal(await set({ enable_snat: false }), 403, 'PolicyNotAuthorized')).toBe(
      '(rule:update_router and (rule:update_router:external_gateway_info and ' +
        '(rule:update_router:external_gateway_info:network_id and ' +
        'rule:update_router:external_gateway_info:enable_snat))) is disallowed by policy',
    );
    expectRefusal(await set({ external_fixed_ips: [] }), 403, 'PolicyNotAuthorized');
    const { network: hidden } = await networkWith(admin, '10.1.0.0/24');
    expectRefusal(await setGateway(owner, router, { network_id: hidden['id'] }), 404, 'NetworkNotFound');
    expect(await set({})).toMatchObject({ status: 200 });
    const body = { router: { external_gateway_info: { network_id: outer['id'], enable_snat: true } } };
    expectRefusal(await owner.call('POST', '/v2.0/routers', body), 403, 'PolicyNotAuthorized');
  });

  it('keep what they hang on', async () => {
    const router = await owner.make('routers', { external_gateway_info: { network_id: outer['id'] } });
    const [port] = await portsOf(admin, router);
    const gone = async (path: string, type: string): Promise<string> =>
      expectRefusal(await admin.call('DELETE', `/v2.0/${path}`), 409, type);
    expect(await gone(`ports/${String(port?.['id'])}`, 'ServicePortInUse')).toMatch(
      /network:router_gateway\.$/,
    );
    await gone(`subnets/${idOf(subnet)}`, 'SubnetInUse');
    await gone(`networks/${idOf(outer)}`, 'NetworkInUse');
    const closed = await admin.call('PUT', `/v2.0/networks/${idOf(outer)}`, {
      network: { 'router:external': false },
    });
    expectRefusal(closed, 409, 'ExternalNetworkInUse');
    await owner.remove('routers', router['id']);
    await admin.remove('networks', outer['id']);
  });

  it('do not meet the router’s own networks', async () => {
    const { subnet: same } = await networkWith(owner, '203.0.113.128/25');
    const router = await owner.make('routers', { external_gateway_info: { network_id: outer['id'] } });
    const reply = await addInterface(owner, router, { subnet_id: same['id'] });
    expect(expectRefusal(reply, 400, 'BadRequest')).toMatch(/overlaps with cidr 203\.0\.113\.0\/24/);
    await setGateway(owner, router, null);
    await attached(owner, router, same);
    const back = await setGateway(owner, router, { network_id: outer['id'] });
    expect(expectRefusal(back, 400, 'BadRequest')).toMatch(/overlaps with cidr 203\.0\.113\.128\/25/);
  });

  it('carry the routes that go by them', async () => {
    const router = await owner.make('routers', { external_gateway_info: { network_id: outer['id'] } });
    await owner.change('routers', router['id'], {
      routes: [{ destination: '10.9.0.0/16', nexthop: '203.0.113.200' }],
    });
    expectRefusal(await setGateway(owner, router, null), 400, 'InvalidRoutes');
    const both = { external_gateway_info: null, routes: [] };
    expect(await owner.change('routers', router['id'], both)).toMatchObject(both);
  });
});

describe('policies for external networks', () => {
  const asExternal = (target: string): Json => ({
    object_type: 'network',
    object_id: outer['id'],
    action: 'access_as_external',
    target_tenant: target,
  });
  const policies = (): Promise<Json[]> => admin.list('rbac-policies', `object_id=${idOf(outer)}`);

  it('stay while routers have their gateways by them', async () => {
    await owner.make('routers', { external_gateway_info: { network_id: outer['id'] } });
    const [open] = await policies();
    const url = `/v2.0/rbac-policies/${String(open?.['id'])}`;
    const text = expectRefusal(await admin.call('DELETE', url), 409, 'RbacPolicyInUse');
    expect(text).toMatch(/routers attached to this network that depend on this policy/);
    const narrow = (target: string): Promise<TestReply> =>
      admin.call('PUT', url, { rbac_policy: { target_tenant: target } });
    expectRefusal(await narrow('foreign'), 409, 'RbacPolicyInUse');
    const named = await admin.make('rbac-policies', asExternal('own'));
    await admin.remove('rbac-policies', open?.['id']);
    const last = await admin.call('DELETE', `/v2.0/rbac-policies/${idOf(named)}`);
    expectRefusal(last, 409, 'RbacPolicyInUse');
  });

  it('decide who may have a gateway there', async () => {
    const [open] = await policies();
    await admin.change('rbac-policies', open?.['id'], { target_tenant: 'foreign' });
    const body = { router: { external_gateway_info: { network_id: outer['id'] } } };
    expectRefusal(await owner.call('POST', '/v2.0/routers', body), 404, 'NetworkNotFound');
  });
});

it('of requests that race, gateways and networks stay together', async () => {
  const other = as((await under.server({ authenticator: byName })).api, 'admin');
  const make = (client: TestClient): Promise<TestReply> =>
    client.call('POST', '/v2.0/routers', { router: { external_gateway_info: { network_id: outer['id'] } } });
  const replies = await Promise.all([
    ...Array.from({ length: 8 }, (_, at) => make(at % 2 === 0 ? owner : other)),
    other.call('PUT', `/v2.0/networks/${idOf(outer)}`, { network: { 'router:external': false } }),
  ]);
  for (const reply of replies) expect(reply.status).toBeLessThan(500);
  const addresses = (await admin.list('ports')).map((port) => JSON.stringify(port['fixed_ips']));
  expect(new Set(addresses).size).toBe(addresses.length);
});
