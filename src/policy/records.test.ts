import { describe, expect, test } from 'vitest';
import { ip, mac, net } from '../../test/lib/frames.ts';
import { preferredPortKey } from '../model/numbers.ts';
import type { InactiveBinding, PortRecord, SecurityGroupRuleRecord } from '../model/records.ts';
import { portOf, recordedLinkLocalOf, ruleOf } from './records.ts';

const standard = {
  id: 'id',
  project_id: 'p',
  description: '',
  created_at: '2026-01-02T03:04:05Z',
  updated_at: '2026-01-02T03:04:05Z',
  revision_number: 1,
};

const portRecord = (over: Partial<PortRecord> = {}): PortRecord => ({
  ...standard,
  name: '',
  network_id: 'n',
  key: preferredPortKey('id'),
  admin_state_up: true,
  mac_address: '02:00:00:00:00:0A',
  fixed_ips: [{ subnet_id: 's', ip_address: '2001:DB8:0::a' }],
  device_id: '',
  device_owner: '',
  security_groups: ['g'],
  allowed_address_pairs: [{ ip_address: '10.0.0.7/24', mac_address: '02:00:00:00:00:0a' }],
  port_security_enabled: true,
  port_security_mode: 'mac-only',
  dhcp_trusted: false,
  'binding:host_id': '',
  'binding:vnic_type': 'normal',
  'binding:profile': {},
  qos_policy_id: null,
  ...over,
});

const ruleRecord = (over: Partial<SecurityGroupRuleRecord>): SecurityGroupRuleRecord => ({
  ...standard,
  security_group_id: 'g',
  direction: 'ingress',
  ethertype: 'IPv4',
  protocol: null,
  port_range_min: null,
  port_range_max: null,
  remote_ip_prefix: null,
  remote_group_id: null,
  remote_address_group_id: null,
  ...over,
});

describe('ports', () => {
  test('addresses are parsed, host bits of a pair cleared', () => {
    expect(portOf(portRecord())).toMatchObject({
      mac: '02:00:00:00:00:0a',
      fixedIps: [ip('2001:db8::a')],
      pairs: [{ mac: mac('02:00:00:00:00:0a'), ip: net('10.0.0.0/24') }],
      mode: 'mac-only',
      host: null,
    });
    expect(portOf(portRecord({ mac_address: 'x' }))).toBeNull();
  });

  test('port security off and ports of the cloud itself are off', () => {
    expect(portOf(portRecord({ port_security_enabled: false }))?.mode).toBe('off');
    expect(portOf(portRecord({ device_owner: 'network:dhcp' }))?.mode).toBe('off');
    const routers = { device_owner: 'network:router_interface' };
    expect(portOf(portRecord({ ...routers, port_security_enabled: false }))).toMatchObject({
      mode: 'off',
      cloudOwned: true,
    });
    // A project's own port that it attached to a router.
    expect(portOf(portRecord(routers))).toMatchObject({ mode: 'mac-only', cloudOwned: false });
    expect(portOf(portRecord({ device_owner: 'compute:nova' }))?.mode).toBe('mac-only');
  });

  test('the host that was asked for wins over one that has it plugged, as while it moves', () => {
    const asked = portRecord({ 'binding:host_id': 'asked' });
    expect(portOf(asked)?.host).toBe('asked');
    expect(portOf(asked, { host: 'bound', status: 'ACTIVE' })?.host).toBe('asked');
    expect(portOf(portRecord({}), { host: 'bound', status: 'ACTIVE' })?.host).toBe('bound');
    expect(portOf(asked, { host: 'bound', status: 'DOWN' })?.host).toBe('asked');
    expect(portOf(portRecord({}), { host: 'bound', status: 'DOWN' })?.host).toBeNull();
  });

  test('a port arrives at the host of its only waiting binding, and each attempt has a number', () => {
    const arrivalAt = (...inactive_bindings: readonly Partial<InactiveBinding>[]) =>
      portOf(
        portRecord({
          'binding:host_id': 'a',
          inactive_bindings: inactive_bindings.map((of) => ({
            host: 'b',
            vnic_type: 'normal',
            profile: {},
            ...of,
          })),
        }),
      )?.arrival;
    expect(arrivalAt()).toBeUndefined();
    expect(arrivalAt({ left: true })).toBeUndefined();
    expect(arrivalAt({}, { host: 'c' })).toBeUndefined();
    expect(arrivalAt({ made: 3 }, { host: 'c', left: true })?.host).toBe('b');
    const numbers = [1, 2, 3].map((made) => arrivalAt({ made })?.number ?? 0);
    expect(new Set(numbers).size).toBe(3);
    for (const number of numbers) expect(number > 0 && number <= 0xffff).toBe(true);
    expect(arrivalAt({ made: 1 })?.number).toBe(numbers[0]);
  });
});

describe('rules', () => {
  const l4 = (over: Partial<SecurityGroupRuleRecord>) => ruleOf(ruleRecord(over))?.l4;

  test('protocols by name and number', () => {
    expect(l4({})).toEqual({ kind: 'any' });
    expect(l4({ protocol: 'any' })).toEqual({ kind: 'any' });
    expect(l4({ protocol: 'vrrp' })).toEqual({ kind: 'protocol', protocol: 112 });
    expect(l4({ protocol: '0' })).toEqual({ kind: 'protocol', protocol: 0 });
    expect(l4({ protocol: 'tcp', port_range_min: 1, port_range_max: 2 })).toEqual({
      kind: 'ports',
      protocol: 6,
      min: 1,
      max: 2,
    });
    expect(ruleOf(ruleRecord({ protocol: '256' }))).toBeNull();
    expect(ruleOf(ruleRecord({ protocol: 'nonsense' }))).toBeNull();
    expect(ruleOf(ruleRecord({ protocol: 'udp', port_range_min: 5 }))).toBeNull();
  });

  test('a record that matches no packet gives no rule', () => {
    for (const over of [
      { protocol: 'tcp', port_range_min: 1, port_range_max: 65536 },
      { protocol: 'tcp', port_range_min: 2, port_range_max: 1 },
      { protocol: 'icmp', port_range_min: 256 },
      { protocol: 'icmp', port_range_max: 0 },
      { protocol: '58', port_range_min: 128 },
      { remote_ip_prefix: '2001:db8::/32' },
    ] as const)
      expect(ruleOf(ruleRecord(over))).toBeNull();
  });

  test('ICMP: 0 is a value, IPv6 makes it ICMPv6', () => {
    expect(l4({ protocol: 'icmp' })).toEqual({ kind: 'protocol', protocol: 1 });
    expect(l4({ protocol: 'icmp', port_range_min: 0 })).toEqual({
      kind: 'icmp',
      protocol: 1,
      type: 0,
      code: null,
    });
    expect(l4({ protocol: '1', ethertype: 'IPv6', port_range_min: 1, port_range_max: 0 })).toEqual({
      kind: 'icmp',
      protocol: 58,
      type: 1,
      code: 0,
    });
  });

  test('remotes', () => {
    const remote = (over: Partial<SecurityGroupRuleRecord>) => ruleOf(ruleRecord(over))?.remote;
    expect(remote({ remote_ip_prefix: '0.0.0.0/0' })).toEqual({ kind: 'any' });
    expect(remote({ remote_ip_prefix: '10.0.0.9/24' })).toEqual({
      kind: 'prefix',
      prefix: net('10.0.0.0/24'),
    });
    expect(remote({ remote_group_id: 'h' })).toEqual({ kind: 'group', group: 'h' });
  });
});

test('link-local records are IPv6', () => {
  expect(recordedLinkLocalOf('n', 'fe80::1', { port: 'p', mac: '02:00:00:00:00:0a' })?.address).toEqual(
    ip('fe80::1'),
  );
  expect(recordedLinkLocalOf('n', '10.0.0.1', { port: 'p', mac: '02:00:00:00:00:0a' })).toBeNull();
});
