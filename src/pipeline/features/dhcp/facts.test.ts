import { expect, test } from 'vitest';
import { ip, net } from '../../../../test/lib/frames.ts';
import { subnetRecord } from '../../../../test/lib/records.ts';
import { dhcpSubnetOf } from './facts.ts';

test('servers and routes of the other family are left out', () => {
  const record = {
    ...subnetRecord('s', 'n', '10.0.0.0/24'),
    dns_nameservers: ['fd00::53', '10.0.0.53', 'x'],
    host_routes: [
      { destination: 'fd01::/64', nexthop: '10.0.0.9' },
      { destination: '10.9.0.0/16', nexthop: 'fd00::9' },
      { destination: '10.8.0.0/16', nexthop: '10.0.0.9' },
    ],
  };
  expect(dhcpSubnetOf(record)).toEqual({
    stateful: false,
    advertisedMode: null,
    dnsServers: [ip('10.0.0.53')],
    routes: [{ destination: net('10.8.0.0/16'), nexthop: ip('10.0.0.9') }],
  });
  const six = { ...record, ip_version: 6, ipv6_address_mode: 'dhcpv6-stateful' } as const;
  expect(dhcpSubnetOf(six)).toEqual({
    stateful: true,
    advertisedMode: null,
    dnsServers: [ip('fd00::53')],
    routes: [],
  });
});
