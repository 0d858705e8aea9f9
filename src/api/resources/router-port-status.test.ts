/** What `status` says of routers' ports, as hosts come, die and hold ports. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Json, openUnderTest, type TestClient, type UnderTest } from '../testing/api-under-test.ts';
import { Hosts } from '../testing/hosts.ts';
import { as, byName } from '../testing/people.ts';
import { attached, externalWith, networkWith, setGateway } from '../testing/routed.ts';

let under: UnderTest;
let client: TestClient;
let hosts: Hosts;
let router: Json;
let inner: Json;
let first: Json;
let second: Json;

beforeEach(async () => {
  under = await openUnderTest('memory');
  const { api } = await under.server({ authenticator: byName });
  client = as(api, 'admin');
  hosts = await Hosts.oneAndTwo(under, client);
  router = await client.make('routers', {});
  const { network, subnet } = await networkWith(client, '10.1.0.0/24');
  const other = await networkWith(client, '10.2.0.0/24');
  inner = network;
  first = await attached(client, router, subnet);
  second = await attached(client, router, other.subnet);
});
afterEach(() => under.close());

const statusesOf = async (): Promise<readonly unknown[]> => {
  const shown = await Promise.all([first, second].map(({ id }) => client.show('ports', id)));
  return shown.map(({ status }) => status);
};
const bothAre = async (status: string) => expect(await statusesOf()).toEqual([status, status]);
const set = (collection: string, { id }: Json, change: Json) =>
  client.call('PUT', `/v2.0/${collection}s/${String(id)}`, { [collection]: change });

describe('ports of a router', () => {
  it('are ACTIVE while any host lives, until a host has a port of their networks', async () => {
    await bothAre('ACTIVE');
    await hosts.dies('one');
    await bothAre('ACTIVE');
    await hosts.dies('two');
    await bothAre('DOWN');
    await hosts.live('two');
    await bothAre('ACTIVE');
  });

  it('follow the hosts that have ports of their networks', async () => {
    const port = await client.make('ports', { network_id: inner['id'] });
    await hosts.hold(String(inner['id']), String(port['id']), 'one', 'ACTIVE');
    await bothAre('ACTIVE');
    await hosts.dies('one');
    await bothAre('DOWN');
    await hosts.hold(String(inner['id']), String(port['id']), 'two', 'ACTIVE');
    await bothAre('ACTIVE');
  });

  it('are DOWN one by one, and all with their router', async () => {
    await set('port', first, { admin_state_up: false });
    expect(await statusesOf()).toEqual(['DOWN', 'ACTIVE']);
    await set('router', router, { admin_state_up: false });
    await bothAre('DOWN');
    await set('router', router, { admin_state_up: true });
    expect(await statusesOf()).toEqual(['DOWN', 'ACTIVE']);
    expect(await client.list('ports', 'status=ACTIVE')).toMatchObject([{ id: second['id'] }]);
  });

  it('lead out as well', async () => {
    const { network } = await externalWith(client);
    await setGateway(client, router, { network_id: network['id'] });
    const [gateway] = await client.list('ports', 'device_owner=network:router_gateway');
    expect(gateway).toMatchObject({ status: 'ACTIVE' });
    await hosts.dies('one');
    await hosts.dies('two');
    expect(await client.show('ports', gateway?.['id'])).toMatchObject({ status: 'DOWN' });
  });
});
