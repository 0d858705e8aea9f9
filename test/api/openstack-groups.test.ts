/** Address groups, stateless groups and sharing, as users of the `openstack` client type them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installed, type OpenStack, openOpenStack } from './openstack.ts';

let cloud: OpenStack;

describe.skipIf(!installed)(
  'groups by the openstack client (skipped where python3-openstackclient is not installed)',
  () => {
    beforeAll(async () => {
      cloud = await openOpenStack();
      await cloud.run('security', 'group', 'create', 'web');
    });
    afterAll(() => cloud?.close());

    it('makes address groups and refers to them in rules', async () => {
      const create = ['address', 'group', 'create', '--description', 'd'];
      const made = await cloud.shown(...create, '--address', '10.1.0.0/8', '--address', '192.0.2.1', 'ag');
      expect(made).toMatchObject({
        name: 'ag',
        description: 'd',
        addresses: ['10.0.0.0/8', '192.0.2.1/32'],
      });
      await cloud.run('address', 'group', 'set', '--name', 'lan', '--address', 'fd00::/64', 'ag');
      await cloud.run('address', 'group', 'unset', '--address', '192.0.2.1', 'lan');
      expect(await cloud.shown('address', 'group', 'show', 'lan')).toMatchObject({
        id: made['id'],
        name: 'lan',
        addresses: ['10.0.0.0/8', 'fd00::/64'],
      });
      await expect(cloud.run('address', 'group', 'set', '--address', '10.0.0.0/8', 'lan')).rejects.toThrow(
        /already exist in the address group/,
      );
      await expect(cloud.run('address', 'group', 'unset', '--address', '192.0.2.1', 'lan')).rejects.toThrow(
        /not found in the address group/,
      );
      const rule = [
        'security',
        'group',
        'rule',
        'create',
        '--remote-address-group',
        'lan',
        '--protocol',
        'tcp',
      ];
      const ruled = await cloud.shown(...rule, '--dst-port', '443', 'web');
      expect(ruled).toMatchObject({ remote_address_group_id: made['id'], remote_group_id: null });
      expect((await cloud.listed('address', 'group', 'list')).map((group) => group['Name'])).toEqual(['lan']);
      await expect(cloud.run('address', 'group', 'delete', 'lan')).rejects.toThrow();
      await cloud.run('security', 'group', 'rule', 'delete', String(ruled['id']));
      await cloud.run('address', 'group', 'delete', 'lan');
      expect(await cloud.listed('address', 'group', 'list')).toEqual([]);
    });

    it('makes groups without connection tracking', async () => {
      const made = await cloud.shown('security', 'group', 'create', '--stateless', 'quick');
      expect(made).toMatchObject({ stateful: false });
      await cloud.run('security', 'group', 'set', '--stateful', 'quick');
      expect(await cloud.shown('security', 'group', 'show', 'quick')).toMatchObject({ stateful: true });
      await cloud.run('security', 'group', 'set', '--stateless', 'quick');
      await cloud.run('network', 'create', 'net');
      const port = ['port', 'create', '--network', 'net', '--security-group', 'quick'];
      await expect(cloud.run(...port, '--security-group', 'web', 'p')).rejects.toThrow(
        /both stateful and stateless/,
      );
      await cloud.run(...port, 'p');
      await expect(cloud.run('security', 'group', 'set', '--stateful', 'quick')).rejects.toThrow(/in use/);
    });

    it('shares groups with projects', async () => {
      const create = ['network', 'rbac', 'create', '--action', 'access_as_shared'];
      const made = await cloud.shown(...create, '--type', 'security_group', '--target-all-projects', 'web');
      expect(made).toMatchObject({ object_type: 'security_group', target_project_id: '*' });
      await expect(
        cloud.run(...create, '--type', 'security_group', '--target-all-projects', 'web'),
      ).rejects.toThrow(/already exists/);
      expect(await cloud.listed('network', 'rbac', 'list', '--type', 'security_group')).toHaveLength(1);
      expect(await cloud.shown('network', 'rbac', 'show', String(made['id']))).toMatchObject({
        action: 'access_as_shared',
      });
      await cloud.run('network', 'rbac', 'delete', String(made['id']));
      expect(await cloud.listed('network', 'rbac', 'list')).toEqual([]);
    });
  },
);
