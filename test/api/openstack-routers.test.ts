/** Routers through the ordinary `openstack` client: gateways, interfaces, routes, and what it shows of them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installed, type OpenStack, openOpenStack } from './openstack.ts';

let cloud: OpenStack;

describe.skipIf(!installed)(
  'routers with the openstack client (skipped where python3-openstackclient is not installed)',
  () => {
    beforeAll(async () => {
      cloud = await openOpenStack();
    });
    afterAll(() => cloud?.close());

    it('come, lead somewhere and go', async () => {
      await Promise.all([
        cloud.run('network', 'create', '--external', 'out'),
        cloud.run('network', 'create', 'in'),
      ]);
      const [, subnet] = await Promise.all([
        cloud.run('subnet', 'create', '--network', 'out', '--subnet-range', '203.0.113.0/24', 'out4'),
        cloud.shown('subnet', 'create', '--network', 'in', '--subnet-range', '10.0.0.0/24', 'in4'),
        cloud.run('router', 'create', '--description', 'd', '--tag', 'blue', 'r'),
      ]);
      await cloud.run('router', 'add', 'subnet', 'r', 'in4');
      const gateway = ['--external-gateway', 'out', '--fixed-ip', 'ip-address=203.0.113.9', '--disable-snat'];
      const route = ['--route', 'destination=10.9.0.0/16,gateway=10.0.0.9'];
      await cloud.run('router', 'set', ...gateway, ...route, 'r');
      const [router, held] = await Promise.all([
        cloud.shown('router', 'show', 'r'),
        cloud.listed('port', 'list', '--router', 'r'),
      ]);
      expect(router).toMatchObject({
        description: 'd',
        tags: ['blue'],
        external_gateway_info: { enable_snat: false, external_fixed_ips: [{ ip_address: '203.0.113.9' }] },
        interfaces_info: [{ subnet_id: subnet['id'], ip_address: '10.0.0.1' }],
      });
      expect(held).toHaveLength(2);
      await cloud.run('router', 'unset', ...route, '--external-gateway', 'r');
      await cloud.run('router', 'remove', 'subnet', 'r', 'in4');
      await cloud.run('router', 'delete', 'r');
      expect(await cloud.listed('port', 'list')).toEqual([]);
    });
  },
);
