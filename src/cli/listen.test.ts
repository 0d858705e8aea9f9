import { expect, test } from 'vitest';
import { formatListen, isLoopback, parseListen } from './listen.ts';

test.each([
  ['127.0.0.1:9696', '127.0.0.1', 9696],
  ['localhost:0', 'localhost', 0],
  ['[::1]:80', '::1', 80],
])('%s is read and written alike', (text, host, port) => {
  const listen = parseListen(text);
  expect(listen).toEqual({ host, port });
  expect(listen && formatListen(listen)).toBe(text);
});

test.each(['9696', ':9696', '::1:9696', '[::1]', '[1.2.3.4]:1', '127.0.0.1:70000', 'a b:1', ''])(
  '%j is refused',
  (text) => {
    expect(parseListen(text)).toBeNull();
  },
);

test('only this machine counts as loopback', () => {
  expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '::', '128.0.0.1', '127.example.org'].some(isLoopback)).toBe(false);
});
