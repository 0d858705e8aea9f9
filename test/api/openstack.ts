/** The ordinary `openstack` client against a server of the test. Each command is a process of about a second. */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { type Api, createApi } from '../../src/api/server.ts';
import { openStore } from '../../src/store/index.ts';

export const installed = spawnSync('openstack', ['--version']).status === 0;
const run = promisify(execFile);

export type Json = Record<string, unknown>;

export interface OpenStack {
  readonly api: Api;
  /** What the command prints; rejects with its complaint. */
  run(...args: string[]): Promise<string>;
  shown(...args: string[]): Promise<Json>;
  listed(...args: string[]): Promise<Json[]>;
  close(): Promise<void>;
}

export async function openOpenStack(): Promise<OpenStack> {
  const store = await openStore({ kind: 'memory' });
  const api = createApi({ store, log: pino({ level: 'silent' }), listen: { host: '127.0.0.1', port: 0 } });
  await api.listen();
  // The environment must not lead the client to another cloud.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('OS_')));
  const openstack = async (...args: string[]): Promise<string> => {
    const target = ['--os-auth-type', 'none', '--os-endpoint', api.address];
    const { stdout } = await run('openstack', [...target, ...args], { env });
    return stdout;
  };
  return {
    api,
    run: openstack,
    shown: async (...args) => JSON.parse(await openstack(...args, '-f', 'json')) as Json,
    listed: async (...args) => JSON.parse(await openstack(...args, '-f', 'json')) as Json[],
    async close() {
      await api.close();
      await store.close();
    },
  };
}
