import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { as, byName } from '../testing/people.ts';

let under: UnderTest;
let admin: TestClient;
let owner: TestClient;
let network: Json;
beforeEach(async () => {
  under = await openUnderTest('memory');
  const server = await under.server({ authenticator: byName });
  admin = as(server.api, 'admin');
  owner = as(server.api, 'owner');
  network = await owner.make('networks', { name: 'n' });
});
afterEach(() => under.close());

const path = 'network-ip-availabilities';
const subnet = (more: Json): Promise<Json> =>
  owner.make('subnets', { network_id: network['id'], ip_version: 4, name: 's', ...more });
/** Numbers as they were written. */
async function written(query = ''): Promise<string> {
  const { body } = await admin.api.app.inject({
    url: `/v2.0/${path}/${String(network['id'])}${query}`,
    headers: { host: '127.0.0.1', 'x-auth-token': 'admin' },
  });
  return body;
}

describe('what networks have of addresses', () => {
  it('is nothing without subnets', async () => {
    expect(await admin.show(path, network['id'])).toEqual({
      network_id: network['id'],
      network_name: 'n',
      project_id: 'own',
      tenant_id: 'own',
      total_ips: 0,
      used_ips: 0,
      subnet_ip_availability: [],
    });
  });

  it('is what their pools hold, and what ports have of it', async () => {
    const four = await subnet({ cidr: '10.0.0.0/24' });
    const small = await subnet({
      cidr: '10.1.0.0/24',
      allocation_pools: [
        { start: '10.1.0.10', end: '10.1.0.19' },
        { start: '10.1.0.30', end: '10.1.0.30' },
      ],
    });
    const fixed = [{ subnet_id: four['id'] }, { subnet_id: four['id'] }, { subnet_id: small['id'] }];
    const port = await owner.make('ports', { network_id: network['id'], fixed_ips: fixed });
    const one = { ip_version: 4, subnet_name: 's' };
    expect(await admin.show(path, network['id'])).toMatchObject({
      total_ips: 264,
      used_ips: 3,
      subnet_ip_availability: [
        { ...one, subnet_id: four['id'], cidr: '10.0.0.0/24', total_ips: 253, used_ips: 2 },
        { ...one, subnet_id: small['id'], cidr: '10.1.0.0/24', total_ips: 11, used_ips: 1 },
      ],
    });
    await owner.remove('ports', port['id']);
    expect(await admin.show(path, network['id'])).toMatchObject({ used_ips: 0 });
  });

  it('is told to the last address, however many they are', async () => {
    await subnet({ ip_version: 6, cidr: 'fd00::/64', gateway_ip: 'fd00::1' });
    expect(await written()).toContain('"total_ips":18446744073709551614,');
    expect(await written('?fields=total_ips')).toBe(
      '{"network_ip_availability":{"total_ips":18446744073709551614}}',
    );
  });

  it('is found by network, name, owner and version', async () => {
    await subnet({ cidr: '10.0.0.0/24' });
    await subnet({ ip_version: 6, cidr: 'fd00::/112', gateway_ip: 'fd00::1' });
    await admin.make('networks', { name: 'other' });
    const found = async (query: string) =>
      (await admin.list(path, query)).map((one) => [one['network_name'], one['total_ips']]);
    const whole = ['n', 253 + 65_534];
    expect((await found('')).toSorted()).toEqual([whole, ['other', 0]]);
    expect(await found(`network_id=${String(network['id'])}`)).toEqual([whole]);
    expect(await found('network_name=n')).toEqual([whole]);
    expect(await found('tenant_id=own')).toEqual([whole]);
    expect(await found('ip_version=4')).toEqual([['n', 253]]);
    expect(await found('ip_version=6')).toEqual([['n', 65_534]]);
    expect(await found('ip_version=4&ip_version=6&network_name=other')).toEqual([]);
    expectRefusal(await admin.call('GET', `/v2.0/${path}?id=x`), 400, 'HTTPBadRequest');
  });

  it('is for administrators alone, who do not change it', async () => {
    expect(await owner.list(path)).toEqual([]);
    const url = `/v2.0/${path}/${String(network['id'])}`;
    expectRefusal(await owner.call('GET', url), 404, 'NetworkNotFound');
    expectRefusal(await admin.call('GET', `/v2.0/${path}/x`), 404, 'NetworkNotFound');
    expect((await admin.call('DELETE', url)).status).toBe(403);
    expect((await admin.call('POST', `/v2.0/${path}`, { network_ip_availability: {} })).status).toBe(403);
  });
});
