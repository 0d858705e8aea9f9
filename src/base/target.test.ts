import { expect, test } from 'vitest';
import { parseTarget } from './target.ts';

test.each([
  ['unix:/a b', { kind: 'unix', path: '/a b' }],
  ['tcp:h:1', { kind: 'tcp', host: 'h', port: 1 }],
  ['tcp:192.0.2.1', { kind: 'tcp', host: '192.0.2.1', port: 6640 }],
  ['tcp:[2001:db8::1]:6641', { kind: 'tcp', host: '2001:db8::1', port: 6641 }],
])('target %s', (text, target) => expect(parseTarget(text, 6640)).toEqual(target));

test.each(['', 'unix:', 'ptcp:6640', 'tcp:', 'tcp:h:0', 'tcp:h:70000', 'tcp:a:b:c', 'ssl:h:1'])(
  'target "%s" is refused',
  (text) => expect(() => parseTarget(text, 6640)).toThrow(expect.objectContaining({ name: 'BadTarget' })),
);
