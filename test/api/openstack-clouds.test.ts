/** What an administrator of the cloud types at the `openstack` client: external networks and agents. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installed, type OpenStack, openOpenStack } from './openstack.ts';

let cloud: OpenStack;

describe.skipIf(!installed)(
  "the cloud's own things by the openstack client (skipped where python3-openstackclient is not installed)",
  () => {
    beforeAll(async () => {
      cloud = await openOpenStack();
    });
    afterAll(() => cloud?.close());

    it('makes external networks', async () => {
      const made = await cloud.shown('network', 'create', '--external', '--default', 'public');
      expect(made).toMatchObject({
        'router:external': true,
        is_default: true,
        'provider:network_type': 'local',
        'provider:segmentation_id': null,
      });
      await cloud.run('network', 'create', '--provider-network-type', 'local', 'inner');
      const flat = ['--provider-network-type', 'flat', '--provider-physical-network', 'physnet1'];
      expect(await cloud.shown('network', 'create', ...flat, 'wire')).toMatchObject({
        'provider:network_type': 'flat',
        'provider:physical_network': 'physnet1',
      });
      await expect(cloud.run('network', 'create', ...flat, 'again')).rejects.toThrow(/physnet1 is in use/);
      const tunnel = ['--provider-network-type', 'vxlan', '--provider-segment', '77'];
      expect(await cloud.shown('network', 'create', ...tunnel, 'tunnel')).toMatchObject({
        'provider:network_type': 'vxlan',
        'provider:segmentation_id': 77,
        mtu: 1450,
      });
      await expect(
        cloud.run('network', 'create', '--provider-network-type', 'gre', 'tagged'),
      ).rejects.toThrow(/network_type value 'gre' not supported/);
      const outer = await cloud.listed('network', 'list', '--external');
      expect(outer.map((network) => network['Name'])).toEqual(['public']);
      const policies = await cloud.listed('network', 'rbac', 'list', '--long');
      expect(policies.map((policy) => policy['Action'])).toEqual(['access_as_external']);
      await cloud.run('network', 'set', '--internal', 'public');
      expect(await cloud.listed('network', 'list', '--external')).toEqual([]);
    });

    it('lists agents', async () => {
      expect(await cloud.listed('network', 'agent', 'list')).toEqual([]);
    });
  },
);
