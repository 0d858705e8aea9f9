/** A cloud with routers for tests: an external network, projects' networks, short words for routers' requests. */

import { expect } from 'vitest';
import { violationsOf } from '../../model/invariants/check.ts';
import type { Json, TestClient, TestReply, UnderTest } from './api-under-test.ts';

export interface NetworkWithSubnet {
  readonly network: Json;
  readonly subnet: Json;
}

export async function subnetOn(
  client: TestClient,
  network: Json,
  cidr: string,
  more: Json = {},
): Promise<Json> {
  const version = cidr.includes(':') ? 6 : 4;
  return client.make('subnets', { network_id: network['id'], ip_version: version, cidr, ...more });
}

export async function networkWith(
  client: TestClient,
  cidr: string,
  more: Json = {},
): Promise<NetworkWithSubnet> {
  const network = await client.make('networks', more);
  return { network, subnet: await subnetOn(client, network, cidr) };
}

export const externalWith = (admin: TestClient, cidr = '203.0.113.0/24'): Promise<NetworkWithSubnet> =>
  networkWith(admin, cidr, { 'router:external': true });

export const addInterface = (client: TestClient, router: Json, body: Json): Promise<TestReply> =>
  client.call('PUT', `/v2.0/routers/${String(router['id'])}/add_router_interface`, body);

export const removeInterface = (client: TestClient, router: Json, body: Json): Promise<TestReply> =>
  client.call('PUT', `/v2.0/routers/${String(router['id'])}/remove_router_interface`, body);

/** The port that a router gets on a subnet; it must get one. */
export async function attached(client: TestClient, router: Json, subnet: Json): Promise<Json> {
  const { status, body } = await addInterface(client, router, { subnet_id: subnet['id'] });
  expect(status, JSON.stringify(body)).toBe(200);
  return client.show('ports', body['port_id']);
}

export const setGateway = (client: TestClient, router: Json, wanted: Json | null): Promise<TestReply> =>
  client.call('PUT', `/v2.0/routers/${String(router['id'])}`, { router: { external_gateway_info: wanted } });

/** Whatever was asked of it, the store is whole. */
export async function expectWhole(under: UnderTest): Promise<void> {
  const { entries } = await under.store.snapshot(['']);
  expect(violationsOf(entries)).toEqual([]);
}
