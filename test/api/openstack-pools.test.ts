/** Subnet pools, address scopes, availability zones and how full networks are, as users of the client type them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installed, type OpenStack, openOpenStack } from './openstack.ts';

let cloud: OpenStack;

describe.skipIf(!installed)(
  'pools by the openstack client (skipped where python3-openstackclient is not installed)',
  () => {
    beforeAll(async () => {
      cloud = await openOpenStack();
    });
    afterAll(() => cloud?.close());

    it('cuts subnets from pools in a scope', async () => {
      const scope = await cloud.shown('address', 'scope', 'create', '--ip-version', '4', 'campus');
      expect(scope).toMatchObject({ name: 'campus', ip_version: 4, shared: false });
      const create = [
        'subnet',
        'pool',
        'create',
        '--pool-prefix',
        '10.0.0.0/16',
        '--pool-prefix',
        '10.1.0.0/16',
      ];
      const lengths = [
        '--default-prefix-length',
        '26',
        '--min-prefix-length',
        '24',
        '--default-quota',
        '1024',
      ];
      const pool = await cloud.shown(...create, ...lengths, '--address-scope', 'campus', '--default', 'lans');
      expect(pool).toMatchObject({
        prefixes: ['10.0.0.0/15'],
        default_prefixlen: 26,
        min_prefixlen: 24,
        default_quota: 1024,
        address_scope_id: scope['id'],
        is_default: true,
      });
      await cloud.run('network', 'create', 'net');
      const subnet = ['subnet', 'create', '--network', 'net'];
      const first = await cloud.shown(...subnet, '--subnet-pool', 'lans', 'a');
      expect(first).toMatchObject({ cidr: '10.0.0.0/26', subnetpool_id: pool['id'] });
      const second = await cloud.shown(...subnet, '--use-default-subnet-pool', '--prefix-length', '24', 'b');
      expect(second).toMatchObject({ cidr: '10.0.1.0/24', gateway_ip: '10.0.1.1' });
      expect(await cloud.shown('network', 'show', 'net')).toMatchObject({ ipv4_address_scope: scope['id'] });
      await expect(cloud.run('subnet', 'pool', 'delete', 'lans')).rejects.toThrow(/existing allocations/);
      await expect(cloud.run('address', 'scope', 'delete', 'campus')).rejects.toThrow(/409/);
    }, 60_000);

    it('changes pools and shares them', async () => {
      const set = ['subnet', 'pool', 'set', '--pool-prefix', '10.2.0.0/16', '--no-default'];
      await cloud.run(...set, '--description', 'd', '--tag', 'red', 'lans');
      expect(await cloud.shown('subnet', 'pool', 'show', 'lans')).toMatchObject({
        prefixes: ['10.0.0.0/15', '10.2.0.0/16'],
        description: 'd',
        is_default: false,
        tags: ['red'],
      });
      const share = ['network', 'rbac', 'create', '--action', 'access_as_shared', '--target-all-projects'];
      await expect(cloud.run(...share, '--type', 'subnetpool', 'lans')).rejects.toThrow(
        /doesn't have access to associated address scope/,
      );
      await cloud.run(...share, '--type', 'address_scope', 'campus');
      const policy = await cloud.shown(...share, '--type', 'subnetpool', 'lans');
      expect(policy).toMatchObject({ object_type: 'subnetpool', target_project_id: '*' });
    }, 60_000);

    it('takes existing subnets into a pool', async () => {
      await cloud.run('network', 'create', 'old');
      await cloud.run('subnet', 'create', '--network', 'old', '--subnet-range', '172.16.0.0/24', 'o');
      await cloud.run('network', 'onboard', 'subnets', 'old', 'lans');
      expect(await cloud.listed('subnet', 'list', '--subnet-pool', 'lans')).toHaveLength(3);
      expect(await cloud.shown('subnet', 'pool', 'show', 'lans')).toMatchObject({
        prefixes: ['10.0.0.0/15', '10.2.0.0/16', '172.16.0.0/24'],
      });
    }, 60_000);

    it('shows how full networks are, and their zones', async () => {
      const shown = await cloud.shown('ip', 'availability', 'show', 'net');
      expect(shown).toMatchObject({ network_name: 'net', total_ips: 61 + 253, used_ips: 0 });
      expect(await cloud.listed('availability', 'zone', 'list', '--network')).toEqual([]);
    }, 60_000);

    it('removes them all', async () => {
      await cloud.run('network', 'delete', 'net', 'old');
      await cloud.run('subnet', 'pool', 'delete', 'lans');
      await cloud.run('address', 'scope', 'delete', 'campus');
      expect(await cloud.listed('subnet', 'pool', 'list')).toEqual([]);
    }, 60_000);
  },
);
