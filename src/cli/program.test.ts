/** Help texts of commands, and calls that they refuse before they do anything. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { run } from './program.ts';

let said: string;
beforeEach(() => {
  said = '';
  const keep = (text: string | Uint8Array): boolean => {
    said += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(keep);
  vi.spyOn(process.stderr, 'write').mockImplementation(keep);
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

test.each(['up', 'config'])('%s: each flag shows its default, if it has one', async (command) => {
  await run([command, '--help']);
  const help = said.replaceAll(/\s+/g, ' ');
  expect(help).toContain('address and port of the API (default: 127.0.0.1:9696)');
  expect(help).toContain('--keystone-url <value> address of Keystone, for auth keystone --keystone-username');
  expect(help).not.toContain('(default: )');
});

test.each(['0', '-1', '3601', '1e3', 'x', ''])('sync does not accept a wait of %j', async (seconds) => {
  await run(['sync', '--endpoint', 'http://127.0.0.1:1', '--timeout', seconds]);
  expect(said).toContain('seconds above 0 and up to 3600 are required.');
  expect(process.exitCode).toBe(2);
});
