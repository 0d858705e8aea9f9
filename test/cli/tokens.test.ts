/** `portcullis up` that authenticates callers by tokens, and commands that send one. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UpProcess } from '../lib/up-process.ts';
import { until } from '../lib/wait.ts';
import { portcullis } from './portcullis.ts';

const operator = 'operator-0123456789';
const tenant = 'tenant-0123456789ab';

let dir: string;
let file: string;
let up: UpProcess;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-tokens-'));
  file = join(dir, 'tokens.yaml');
  await writeFile(
    file,
    `tokens:
  - { token: ${operator}, project_id: cloud, user: operator, roles: [admin] }
  - { token: ${tenant}, project_id: p1, user: tenant, roles: [member] }
`,
    { mode: 0o600 },
  );
  // No switch runs; the API does not need one.
  const flags = ['--auth', 'tokens', '--tokens-file', file, '--host', 'test'];
  up = new UpProcess(join(dir, 'data'), `unix:${dir}/none.sock`, flags);
});
afterEach(async () => {
  await up.signal('SIGKILL');
  await rm(dir, { recursive: true });
});

test('commands need the token of an administrator', async () => {
  const endpoint = await up.endpoint();
  const hosts = (token: Record<string, string>) =>
    portcullis(['hosts'], { PORTCULLIS_ENDPOINT: endpoint, ...token });
  expect((await hosts({ PORTCULLIS_TOKEN: operator })).code).toBe(0);
  expect((await hosts({ OS_TOKEN: operator })).code).toBe(0);
  expect(await hosts({})).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/requires authentication/),
  });
  expect(await hosts({ PORTCULLIS_TOKEN: tenant })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/disallowed by policy/),
  });
  await writeFile(file, 'tokens: []\n');
  await until(async () => (await hosts({ PORTCULLIS_TOKEN: operator })).code === 1, { timeout: 20_000 });
  expect(up.stderr).not.toContain(operator);
});

test('a server without any known caller does not start', async () => {
  await up.signal('SIGKILL');
  await writeFile(file, 'tokens: nobody\n');
  const flags = ['--auth', 'tokens', '--tokens-file', file];
  const broken = new UpProcess(join(dir, 'other'), `unix:${dir}/none.sock`, flags);
  await expect(broken.endpoint()).rejects.toThrow(/tokens\.yaml: the file must have one key, tokens/);
  expect(await broken.signal('SIGKILL')).toBe(1);
});
