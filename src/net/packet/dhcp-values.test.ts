import { expect, test } from 'vitest';
import { dhcpValue } from './dhcp-values.ts';

const hex = (name: string, value: string): string | null => {
  const found = dhcpValue(name, value);
  return found === null ? null : `${found.code} ${found.data.toString('hex')}`;
};

test.each([
  ['ntp-server', '10.0.0.1, 10.0.0.2', '42 0a0000010a000002'],
  ['42', '10.0.0.1', '42 0a000001'],
  ['router', '', '3 '],
  ['mtu', '1400', '26 0578'],
  ['26', '0x578', '26 0578'],
  ['time-offset', '-3600', '2 fffff1f0'],
  ['ip-forward-enable', 'true', '19 01'],
  ['default-ttl', '64', '23 40'],
  ['static-route', '10.1.0.0,10.0.0.9', '33 0a0100000a000009'],
  ['domain-search', 'a.example,b.example.', '119 0161076578616d706c65000162076578616d706c6500'],
  ['classless-static-route', '0.0.0.0/0,10.0.0.1,10.8.0.0/13,10.0.0.2', '121 000a0000010d0a080a000002'],
  ['classless-static-route', '', '121 '],
  ['vendor-encap', '01:02:ff', '43 0102ff'],
  ['bootfile-name', 'pxelinux.0', '67 7078656c696e75782e30'],
  ['tftp-server-address', '10.0.0.1', '150 0a000001'],
  ['224', '10.0.0.1', '224 0a000001'],
  ['224', '01:02', '224 0102'],
  ['224', '255', '224 ff'],
  ['224', '256', '224 0100'],
  ['224', '70000', '224 00011170'],
  ['224', 'text', '224 74657874'],
])('%s of %o', (name, value, expected) => {
  expect(hex(name, value)).toBe(expected);
});

test.each([
  ['mtu', '65536'],
  ['mtu', '-40000'],
  ['mtu', 'big'],
  ['netmask', '10.0.0.1,10.0.0.2'],
  ['ntp-server', 'fd00::1'],
  ['ntp-server', 'time.example'],
  ['static-route', '10.1.0.0'],
  ['ip-forward-enable', 'perhaps'],
  ['classless-static-route', '10.0.0.0/8'],
  ['classless-static-route', 'fd00::/8,fd00::1'],
  ['domain-search', 'a..example'],
  // The protocol's own, and what no option is called.
  ['51', '60'],
  ['53', '2'],
  ['54', '10.0.0.1'],
  ['82', '01:02'],
  ['256', 'x'],
  ['no-such-option', 'x'],
])('%s cannot be %o', (name, value) => {
  expect(dhcpValue(name, value)).toBeNull();
});
