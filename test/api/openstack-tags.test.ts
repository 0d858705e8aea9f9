/** Tags, quotas, and what ports and subnets have beside addresses, as users of the `openstack` client type them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installed, type OpenStack, openOpenStack } from './openstack.ts';

let cloud: OpenStack;

describe.skipIf(!installed)(
  'tags and options by the openstack client (skipped where python3-openstackclient is not installed)',
  () => {
    beforeAll(async () => {
      cloud = await openOpenStack();
      await cloud.run('network', 'create', '--tag', 'red', '--tag', 'blue', 'net');
    });
    afterAll(() => cloud?.close());

    it('hangs tags on things and finds things by them', async () => {
      expect(await cloud.shown('network', 'show', 'net')).toMatchObject({ tags: ['blue', 'red'] });
      await cloud.run('network', 'set', '--tag', 'green', 'net');
      await cloud.run('network', 'unset', '--tag', 'red', 'net');
      await cloud.run('security', 'group', 'create', '--tag', 'web', 'web');
      expect(await cloud.shown('network', 'show', 'net')).toMatchObject({ tags: ['blue', 'green'] });
      const found = async (...filter: string[]) =>
        (await cloud.listed('network', 'list', ...filter)).map((network) => network['Name']);
      expect(await found('--tags', 'blue,green')).toEqual(['net']);
      expect(await found('--any-tags', 'red,green')).toEqual(['net']);
      expect(await found('--not-tags', 'blue')).toEqual([]);
      expect(await found('--not-any-tags', 'red')).toEqual(['net']);
      const groups = await cloud.listed('security', 'group', 'list', '--tags', 'web');
      expect(groups.map((group) => group['Name'])).toEqual(['web']);
    });

    it('gives ports tags, DHCP options and subnets of their kind', async () => {
      const create = ['subnet', 'create', '--network', 'net', '--subnet-range'];
      await cloud.run(...create, '10.0.0.0/24', 'all');
      const made = await cloud.shown(...create, '10.1.0.0/24', '--service-type', 'compute:nova', 'servers');
      expect(made).toMatchObject({ service_types: ['compute:nova'] });
      const option = ['--extra-dhcp-option', 'name=bootfile-name,value=pxe.0,ip-version=4'];
      const asked = ['port', 'create', '--network', 'net', '--device-owner', 'compute:nova', '--tag', 'boot'];
      const port = await cloud.shown(...asked, ...option, 'server');
      expect(port).toMatchObject({
        tags: ['boot'],
        ip_allocation: 'immediate',
        extra_dhcp_opts: [{ opt_name: 'bootfile-name', opt_value: 'pxe.0', ip_version: 4 }],
        fixed_ips: [{ ip_address: '10.1.0.2' }],
      });
      await cloud.run('port', 'set', '--extra-dhcp-option', 'name=ntp-server,value=10.0.0.1', 'server');
      expect((await cloud.shown('port', 'show', 'server'))['extra_dhcp_opts']).toHaveLength(2);
    });

    it('shows and sets quotas', async () => {
      const project = '00000000000000000000000000000001';
      const url = `${cloud.api.address}/v2.0/quotas/${project}`;
      const body = JSON.stringify({ quota: { port: 1 } });
      const headers = { 'content-type': 'application/json' };
      expect((await fetch(url, { method: 'PUT', headers, body })).status).toBe(200);
      await expect(cloud.run('port', 'create', '--network', 'net', 'more')).rejects.toThrow(
        /Quota exceeded for resources: \['port'\]/,
      );
      expect((await fetch(url, { method: 'DELETE' })).status).toBe(204);
      await cloud.run('port', 'create', '--network', 'net', 'more');
    });
  },
);
