/** `portcullis up` sends port events to a compute service, also when either of them was killed in between. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ComputeService } from '../../src/api/nova/testing/compute-service.ts';
import { build, UpProcess } from '../lib/up-process.ts';
import { until } from '../lib/wait.ts';

await build();

const server = '7d7b6a44-63a5-4b8a-9a6a-0b7c5f1e2d3c';

let dir: string;
let nova: ComputeService;
let up: UpProcess;

// No switch runs; the API does not need one.
const start = () => {
  const flags = ['--host', 'test', '--nova-url', `${nova.url}/v2.1`, '--nova-interval', '0.1'];
  return new UpProcess(join(dir, 'data'), `unix:${dir}/none.sock`, flags);
};

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-nova-'));
  nova = new ComputeService();
  await nova.open();
  up = start();
});
afterEach(async () => {
  await up.signal('SIGKILL');
  await nova.close();
  await rm(dir, { recursive: true });
});

async function send(method: 'POST' | 'PUT', path: string, body: unknown): Promise<Record<string, string>> {
  const response = await fetch(`${await up.endpoint()}/v2.0/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const [answer] = Object.values((await response.json()) as Record<string, Record<string, string>>);
  expect(response.ok, JSON.stringify(answer)).toBe(true);
  return answer ?? {};
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${await up.endpoint()}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length + 1),
  );
}

test('an acknowledged change is reported, even if both were killed before', async () => {
  const network = await send('POST', 'networks', { network: {} });
  const attributes = { network_id: network['id'], device_owner: 'compute:nova', device_id: server };
  const port = (await send('POST', 'ports', { port: attributes }))['id'] ?? '';
  await until(async () => (await metric('portcullis_nova_telling')) === 1, { timeout: 30_000 });
  await send('PUT', `ports/${port}`, { port: { name: 'one' } });
  await until(() => nova.saidOf(port).length === 1);
  await until(async () => (await metric('portcullis_nova_events_total{outcome="taken"}')) === 1);

  await nova.close();
  await send('PUT', `ports/${port}`, { port: { name: 'two' } });
  await until(async () => (await metric('portcullis_nova_failures_total')) > 0);
  expect(await metric('portcullis_nova_pending_events')).toBe(1);
  await up.signal('SIGKILL');
  await nova.open();
  up = start();
  await until(() => nova.saidOf(port).length === 2, { timeout: 60_000 });
  expect(nova.saidOf(port)).toEqual(['network-changed', 'network-changed']);

  nova.mood = 'silent';
  await send('PUT', `ports/${port}`, { port: { name: 'three' } });
  await until(() => nova.arrived === 3);
  expect(await up.signal('SIGTERM')).toBe(0);
  expect(up.stderr).not.toMatch(/could not stop in time|did not close/);
});
