/** Random histories of routers with many requests at once, at two servers: whatever comes of each, the store is whole. */
import { afterEach, expect, it } from 'vitest';
import {
  type Json,
  openUnderTest,
  type TestClient,
  type TestReply,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { expectWhole } from '../testing/routed.ts';

let under: UnderTest;
afterEach(() => under.close());

/** Repeatable numbers (mulberry32). */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const idsOf = async (client: TestClient, path: string): Promise<string[]> =>
  (await client.list(path, 'fields=id')).map(({ id }) => String(id));

it.each([1, 2, 3])('history %i', async (seed) => {
  const below = numbersFrom(seed);
  const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T;
  under = await openUnderTest('memory');
  const servers = [await under.server(), await under.server()];
  const [first] = servers as [TestClient, TestClient];
  const networks: Json[] = [];
  for (let at = 0; at < 4; at++) networks.push(await first.make('networks', { 'router:external': at === 0 }));
  for (const network of networks) {
    const at = networks.indexOf(network);
    for (const cidr of [
      `10.${at}.0.0/24`,
      `10.${(at + 1) % 4}.0.0/25`.replace('.0.0/', '.1.0/'),
      `2001:db8:${at}::/64`,
    ])
      await first.make('subnets', {
        network_id: network['id'],
        ip_version: cidr.includes(':') ? 6 : 4,
        cidr,
      });
  }
  const subnets = await idsOf(first, 'subnets');
  for (let at = 0; at < 3; at++) await first.make('routers', {});
  const statuses = new Map<string, number>();
  for (let round = 0; round < 40; round++) {
    const [routers, ports] = [await idsOf(first, 'routers'), await idsOf(first, 'ports')];
    const request = (): readonly ['POST' | 'PUT' | 'DELETE', string, unknown?] => {
      const router = `/v2.0/routers/${routers.length === 0 ? 'none' : pick(routers)}`;
      const port = ports.length === 0 ? subnets[0] : pick(ports);
      const network = pick(networks)['id'];
      switch (below(11)) {
        case 0:
          return [
            'POST',
            '/v2.0/routers',
            { router: { external_gateway_info: { network_id: networks[0]?.['id'] } } },
          ];
        case 1:
          return ['DELETE', router];
        case 2:
        case 3:
          return ['PUT', `${router}/add_router_interface`, { subnet_id: pick(subnets) }];
        case 4:
          return ['PUT', `${router}/add_router_interface`, { port_id: port }];
        case 5:
          return ['PUT', `${router}/remove_router_interface`, { subnet_id: pick(subnets) }];
        case 6:
          return ['PUT', `${router}/remove_router_interface`, { port_id: port }];
        case 7:
          return [
            'PUT',
            router,
            { router: { external_gateway_info: pick([null, { network_id: network }]) } },
          ];
        case 8:
          return [
            'PUT',
            `/v2.0/ports/${port}`,
            {
              port: pick([
                { fixed_ips: [{ subnet_id: pick(subnets) }] },
                { fixed_ips: [] },
                { device_id: '' },
              ]),
            },
          ];
        case 9:
          return ['DELETE', `/v2.0/ports/${port}`];
        default:
          return ['POST', '/v2.0/ports', { port: { network_id: network } }];
      }
    };
    const replies: TestReply[] = await Promise.all(
      Array.from({ length: 12 }, (_, at) => {
        const [method, url, body] = request();
        return (servers[at % 2] as TestClient).call(method, url, body);
      }),
    );
    for (const { status, body } of replies) {
      expect(status, JSON.stringify(body)).toBeLessThan(500);
      statuses.set(String(status), (statuses.get(String(status)) ?? 0) + 1);
    }
    await expectWhole(under);
  }
  // A history in which nothing succeeds, or everything, shows little.
  for (const status of ['200', '201', '204', '400', '404', '409'])
    expect(statuses.get(status) ?? 0, `answers with ${status}`).toBeGreaterThan(2);
});
