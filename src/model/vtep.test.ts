import { expect, test } from 'vitest';
import { tunnelBetween, vtepFrom } from './vtep.ts';

test.each(['192.0.2.1', '2001:db8::1', 'fe80::1'])('%s can be a tunnel endpoint', (address) => {
  expect(vtepFrom(address, ['vxlan', 'geneve'])?.types).toEqual(['geneve', 'vxlan']);
});

// A flow that matches the outer source :: or 0.0.0.0 would match every tunnel of the other family.
test.each([
  '',
  'host',
  '192.0.2.0/24',
  '0.0.0.0',
  '127.0.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:192.0.2.1',
  'ff02::1',
])('%j cannot', (address) => expect(vtepFrom(address, ['geneve'])).toBeNull());

test('hosts with one address, or with none of one family, have no tunnel', () => {
  const at = (address: string) => vtepFrom(address, ['geneve']) ?? expect.fail(address);
  expect(tunnelBetween(at('192.0.2.1'), at('192.0.2.2'))).toBe('geneve');
  expect(tunnelBetween(at('192.0.2.1'), at('192.0.2.1'))).toBeNull();
  expect(tunnelBetween(at('192.0.2.1'), at('2001:db8::1'))).toBeNull();
});
