import { expect, test } from 'vitest';
import { parseListen } from './listen.ts';

test.each([
  ['127.0.0.1:9696', '127.0.0.1', 9696],
  ['localhost:0', 'localhost', 0],
  ['[::1]:80', '::1', 80],
])('%s is read', (text, host, port) => {
  expect(parseListen(text)).toEqual({ host, port });
});

test.each(['9696', ':9696', '::1:9696', '[::1]', '[1.2.3.4]:1', '127.0.0.1:70000', 'a b:1', ''])(
  '%j is refused',
  (text) => {
    expect(parseListen(text)).toBeNull();
  },
);
