/** Short words for requests about subnet pools. Must not be used outside tests. */
import type { Json, TestClient, TestReply } from './api-under-test.ts';

/** Requests are the owner's unless a client is named. */
export function poolWords(owner: () => TestClient) {
  const pool = (attributes: Json = {}, client: TestClient = owner()): Promise<Json> =>
    client.make('subnetpools', { name: 'p', prefixes: ['10.9.0.0/16'], ...attributes });
  const asked = (attributes: Json, client: TestClient = owner()): Promise<TestReply> =>
    client.call('POST', '/v2.0/subnetpools', {
      subnetpool: { name: 'p', prefixes: ['10.9.0.0/16'], ...attributes },
    });
  const update = ({ id }: Json, attributes: Json, client: TestClient = owner()): Promise<TestReply> =>
    client.call('PUT', `/v2.0/subnetpools/${String(id)}`, { subnetpool: attributes });
  const deal = ({ id }: Json, action: string, body: Json, client: TestClient = owner()): Promise<TestReply> =>
    client.call('PUT', `/v2.0/subnetpools/${String(id)}/${action}`, body);

  const network = async (client: TestClient = owner()): Promise<unknown> =>
    (await client.make('networks', {}))['id'];
  const cut = async (of: Json, more: Json = {}, client: TestClient = owner()): Promise<Json> =>
    client.make('subnets', {
      network_id: more['network_id'] ?? (await network(client)),
      ip_version: of['ip_version'] ?? 4,
      subnetpool_id: of['id'],
      ...more,
    });
  const cutReply = async (body: Json, client: TestClient = owner()): Promise<TestReply> =>
    client.call('POST', '/v2.0/subnets', {
      subnet: { network_id: body['network_id'] ?? (await network(client)), ip_version: 4, ...body },
    });
  return { pool, asked, update, deal, network, cut, cutReply };
}
