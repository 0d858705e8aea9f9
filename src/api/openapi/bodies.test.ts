import { afterEach, describe, expect, it } from 'vitest';
import {
  contractOf,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { Hosts } from '../testing/hosts.ts';

let under: UnderTest | null = null;

afterEach(async () => {
  await under?.close();
  under = null;
});

async function start(): Promise<TestClient> {
  under = await openUnderTest('memory');
  const client = await under.server();
  await (await Hosts.oneAndTwo(under, client)).live('far');
  return client;
}

describe('the bodies of requests', () => {
  it('are as the document says, from a network to the rules of its ports', async () => {
    const client = await start();
    const contract = await contractOf(client.api);
    /** Sends what the document allows; answers with what is wrapped in the answer. */
    const send = async (
      method: 'POST' | 'PUT',
      template: string,
      body: Json,
      ids: Readonly<Record<string, unknown>> = {},
    ): Promise<Json> => {
      expect(contract.problemOfRequest(method, template, body), template).toBeNull();
      const url = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(ids[name]));
      const answer = await client.call(method, url, body);
      expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
      return Object.values(answer.body)[0] as Json;
    };
    const { id: network_id } = await send('POST', '/v2.0/networks', {
      network: { name: 'net', mtu: 1400, 'router:external': false, tenant_id: 'p' },
    });
    await send('POST', '/v2.0/networks', { networks: [{ name: 'a' }, { name: 'b', mtu: 0 }] });
    const pools = [{ start: '10.0.0.10', end: '10.0.0.20' }];
    const { id: subnet_id } = await send('POST', '/v2.0/subnets', {
      subnet: {
        network_id,
        ip_version: 4,
        cidr: '10.0.0.0/24',
        allocation_pools: pools,
        dns_nameservers: ['192.0.2.53'],
        host_routes: [{ destination: '192.0.2.0/24', nexthop: '10.0.0.9' }],
        gateway_ip: null,
        service_types: [],
      },
    });
    await send(
      'PUT',
      '/v2.0/subnets/{id}',
      { subnet: { gateway_ip: '10.0.0.1', dns_nameservers: null } },
      { id: subnet_id },
    );
    const { id: group } = await send('POST', '/v2.0/security-groups', { security_group: { name: 'web' } });
    const { id: addresses } = await send('POST', '/v2.0/address-groups', {
      address_group: { name: 'offices', addresses: ['192.0.2.0/24'] },
    });
    for (const verb of ['add_addresses', 'remove_addresses'])
      await send(
        'PUT',
        `/v2.0/address-groups/{id}/${verb}`,
        { addresses: ['198.51.100.1/32'] },
        { id: addresses },
      );
    const rule = { security_group_id: group, direction: 'ingress', ethertype: 'IPv4', protocol: 'tcp' };
    await send('POST', '/v2.0/security-group-rules', {
      security_group_rules: [
        { ...rule, port_range_min: 80, port_range_max: 443, remote_ip_prefix: '192.0.2.0/24' },
        { ...rule, protocol: 17, remote_group_id: group },
        { ...rule, protocol: null, remote_address_group_id: addresses },
      ],
    });
    const { id: policy } = await send('POST', '/v2.0/qos/policies', { policy: { name: 'gold' } });
    await send(
      'POST',
      '/v2.0/qos/policies/{policy}/bandwidth_limit_rules',
      { bandwidth_limit_rule: { max_kbps: 1000, direction: 'ingress' } },
      { policy },
    );
    const { id: port } = await send('POST', '/v2.0/ports', {
      port: {
        network_id,
        fixed_ips: [{ subnet_id }, { ip_address: '10.0.0.15' }],
        security_groups: [group],
        allowed_address_pairs: [
          { ip_address: '10.0.0.100' },
          { ip_address: '10.9.0.0/16', mac_address: null },
        ],
        extra_dhcp_opts: [{ opt_name: 'mtu', opt_value: '1400' }],
        qos_policy_id: policy,
        'binding:host_id': null,
        'binding:profile': { a: 1 },
        tags: ['blue'],
      },
    });
    await send(
      'PUT',
      '/v2.0/ports/{id}',
      {
        port: { mac_address: null, extra_dhcp_opts: [{ opt_name: 'mtu', opt_value: null }], fixed_ips: [] },
      },
      { id: port },
    );
    await send('PUT', '/v2.0/ports/{id}/tags', { tags: ['green'] }, { id: port });
    await send(
      'POST',
      '/v2.0/ports/{port}/bindings',
      { binding: { host: 'far' } },
      { port: await computePort() },
    );
    await send('POST', '/v2.0/rbac-policies', {
      rbac_policy: {
        object_type: 'network',
        object_id: network_id,
        action: 'access_as_shared',
        target_tenant: '*',
      },
    });
    await send('PUT', '/v2.0/quotas/{project}', { quota: { port: 7, force: true } }, { project: 'p' });

    async function computePort(): Promise<unknown> {
      const attributes = { network_id, device_owner: 'compute:nova', 'binding:host_id': 'near' };
      return (await client.make('ports', attributes))['id'];
    }
  });

  it('have no attributes that are not described', async () => {
    const client = await start();
    const contract = await contractOf(client.api);
    const schemas = (contract.document['components'] as { schemas: Json }).schemas;
    const paths = contract.document['paths'] as Record<string, Json>;
    let seen = 0;
    for (const [path, { post }] of Object.entries(paths)) {
      const name = /"#\/components\/schemas\/(\w+)_create"/.exec(JSON.stringify(post ?? null))?.[1];
      if (name === undefined || path.includes('{')) continue;
      seen += 1;
      const { properties } = schemas[`${name}_create`] as { properties: Json };
      const { properties: shown } = schemas[name] as { properties: Json };
      for (const attribute of ['bogus', 'created_at', ...Object.keys(shown)]) {
        if (Object.hasOwn(properties, attribute)) continue;
        const body = { [name]: { [attribute]: 'x' } };
        expect(contract.problemOfRequest('POST', path, body), `${path} ${attribute}`).not.toBeNull();
        expect((await client.call('POST', path, body)).status, `${path} ${attribute}`).toBe(400);
      }
    }
    expect(seen).toBeGreaterThan(8);
  });
});
