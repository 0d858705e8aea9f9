/** Networks, ports, groups and rules, as users of the `openstack` client type them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installed, type OpenStack, openOpenStack } from './openstack.ts';

let cloud: OpenStack;
const openstack = (...args: string[]) => cloud.run(...args);
const shown = (...args: string[]) => cloud.shown(...args);
const listed = (...args: string[]) => cloud.listed(...args);

describe.skipIf(!installed)(
  'the openstack client (skipped where python3-openstackclient is not installed)',
  () => {
    beforeAll(async () => {
      cloud = await openOpenStack();
      await openstack('network', 'create', 'net');
      await openstack('subnet', 'create', '--network', 'net', '--subnet-range', '192.168.1.0/24', 'sub');
      await openstack('port', 'create', '--network', 'net', 'server1');
    });
    afterAll(() => cloud?.close());

    it('sets and lists networks and subnets', async () => {
      await openstack('network', 'set', '--name', 'net2', '--description', 'hello', '--mtu', '1400', 'net');
      expect(await shown('network', 'show', 'net2')).toMatchObject({
        name: 'net2',
        description: 'hello',
        mtu: 1400,
        port_security_enabled: true,
        status: 'ACTIVE',
      });
      await openstack('network', 'set', '--name', 'net', 'net2');
      expect((await listed('network', 'list')).map((network) => network['Name'])).toEqual(['net']);
      expect(await shown('network', 'create', '--disable-port-security', 'open')).toMatchObject({
        port_security_enabled: false,
      });
      await openstack('network', 'delete', 'open');
      await openstack(
        'subnet',
        'set',
        '--dns-nameserver',
        '9.9.9.9',
        '--gateway',
        '192.168.1.254',
        '--no-allocation-pool',
        '--allocation-pool',
        'start=192.168.1.10,end=192.168.1.99',
        'sub',
      );
      expect(await shown('subnet', 'show', 'sub')).toMatchObject({
        cidr: '192.168.1.0/24',
        gateway_ip: '192.168.1.254',
        dns_nameservers: ['9.9.9.9'],
      });
      await openstack(
        'subnet',
        'create',
        '--network',
        'net',
        '--ip-version',
        '6',
        '--subnet-range',
        'fd00::/64',
        '--ipv6-ra-mode',
        'slaac',
        '--ipv6-address-mode',
        'slaac',
        'sub6',
      );
      expect(await listed('subnet', 'list', '--network', 'net')).toHaveLength(2);
      await openstack('subnet', 'delete', 'sub6');
    });

    it('gives ports allowed address pairs', async () => {
      const mac = (await shown('port', 'show', 'server1'))['mac_address'];
      const pairs = async () =>
        (await shown('port', 'show', 'server1', '-c', 'allowed_address_pairs'))['allowed_address_pairs'];
      await openstack('port', 'set', 'server1', '--allowed-address', 'ip-address=192.168.1.10');
      expect(await pairs()).toEqual([{ ip_address: '192.168.1.10', mac_address: mac }]);
      await openstack(
        'port',
        'set',
        '--allowed-address',
        'ip-address=10.77.1.0/24,mac-address=02:00:00:00:00:01',
        'server1',
      );
      expect(await pairs()).toHaveLength(2);
      await openstack(
        'port',
        'unset',
        '--allowed-address',
        'ip-address=10.77.1.0/24,mac-address=02:00:00:00:00:01',
        'server1',
      );
      expect(await pairs()).toEqual([{ ip_address: '192.168.1.10', mac_address: mac }]);
      await openstack('port', 'set', '--no-allowed-address', 'server1');
      expect(await pairs()).toEqual([]);
    });

    it('switches port security off and on, and shows ports', async () => {
      await openstack('port', 'set', '--no-security-group', '--disable-port-security', 'server1');
      expect(await shown('port', 'show', 'server1')).toMatchObject({
        port_security_enabled: false,
        security_group_ids: [],
      });
      await openstack('port', 'set', '--enable-port-security', '--security-group', 'default', 'server1');
      expect(await shown('port', 'show', 'server1')).toMatchObject({ port_security_enabled: true });
      const fixed = [
        'port',
        'create',
        '--network',
        'net',
        '--fixed-ip',
        'subnet=sub,ip-address=192.168.1.77',
      ];
      expect(await shown(...fixed, '--mac-address', 'fa:16:3e:00:00:77', 'server2')).toMatchObject({
        mac_address: 'fa:16:3e:00:00:77',
        status: 'DOWN',
      });
      await expect(openstack(...fixed, 'server3')).rejects.toThrow(/already allocated/);
      const ports = await listed('port', 'list', '--network', 'net');
      expect(ports.map((port) => port['Name']).toSorted()).toEqual(['server1', 'server2']);
      expect(
        ports.every((port) => port['Status'] === 'DOWN' && typeof port['MAC Address'] === 'string'),
      ).toBe(true);
      const long = await listed('port', 'list', '--long', '--fixed-ip', 'ip-address=192.168.1.77');
      expect(long.map((port) => port['Name'])).toEqual(['server2']);
      await openstack('port', 'delete', 'server2');
      await expect(openstack('network', 'delete', 'net')).rejects.toThrow(/ports still in use/);
    });

    it('makes groups and rules', async () => {
      await openstack('security', 'group', 'create', '--description', 'd', 'web');
      await openstack('security', 'group', 'create', 'db');
      const make = (...args: string[]) => shown('security', 'group', 'rule', 'create', ...args, 'web');
      expect(await make('--remote-group', 'db', '--protocol', 'tcp', '--dst-port', '80:90')).toMatchObject({
        direction: 'ingress',
        protocol: 'tcp',
        port_range_min: 80,
        port_range_max: 90,
      });
      expect(
        await make('--remote-ip', '192.0.2.0/24', '--protocol', 'icmp', '--icmp-type', '0', '--egress'),
      ).toMatchObject({
        direction: 'egress',
        port_range_min: 0,
        port_range_max: null,
        remote_ip_prefix: '192.0.2.0/24',
      });
      expect(await make('--ethertype', 'IPv6', '--protocol', '58')).toMatchObject({
        ether_type: 'IPv6',
        protocol: '58',
      });
      await expect(make('--ethertype', 'IPv6', '--protocol', '58')).rejects.toThrow(/already exists/);
      expect(await listed('security', 'group', 'rule', 'list', 'web')).toHaveLength(5);
      await openstack('security', 'group', 'set', '--name', 'www', 'web');
      expect((await listed('security', 'group', 'list')).map((group) => group['Name']).toSorted()).toEqual([
        'db',
        'default',
        'www',
      ]);
      await openstack('port', 'set', '--security-group', 'www', 'server1');
      await expect(openstack('security', 'group', 'delete', 'www')).rejects.toThrow(/in use/);
      await openstack('port', 'set', '--no-security-group', 'server1');
      await openstack('security', 'group', 'delete', 'www', 'db');
      expect(await listed('security', 'group', 'list')).toHaveLength(1);
    });

    it('knows what the server can do', async () => {
      const aliases = (await listed('extension', 'list', '--network')).map((extension) => extension['Alias']);
      expect(aliases).toContain('port-security');
      expect(aliases).toContain('allowed-address-pairs');
    });
  },
);
