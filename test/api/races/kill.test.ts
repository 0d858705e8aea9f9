/**
 * kill -9 of a server among many clients' writes. Afterwards the store is consistent. It has every
 * acknowledged write and no half of any other.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { violationsOf } from '../../../src/model/invariants/check.ts';
import { openStore } from '../../../src/store/index.ts';
import { portcullis } from '../../cli/portcullis.ts';
import { type Switch, startSwitch } from '../../lib/switch.ts';
import { UpProcess } from '../../lib/up-process.ts';
import { until } from '../../lib/wait.ts';
import { type Json, type Reply, Wire } from './wire.ts';

const clients = 16;
const rounds = 5;
const script = fileURLToPath(new URL('server.ts', import.meta.url));

let dir: string;
let ending: (() => Promise<unknown>)[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-kill-api-'));
  ending = [];
});
afterEach(async () => {
  for (const end of ending.toReversed()) await end();
  await rm(dir, { recursive: true, force: true });
});

/** A client's last answers about one resource, by its id. */
interface Told {
  /** `null`: it is gone. */
  readonly acknowledged: Json | null;
  /** A change was requested, and no answer came. */
  readonly unsure: boolean;
}

class Ledger {
  readonly told = new Map<string, Told>();
  acknowledged = 0;

  /** Asks for a change of one thing and remembers the answer, or that there was none. */
  async change(id: string, ask: () => Promise<Reply>, shown: (body: Json) => unknown): Promise<void> {
    const before = this.told.get(id);
    this.told.set(id, { acknowledged: before?.acknowledged ?? null, unsure: true });
    const { status, body } = await ask();
    if (status >= 300) {
      // Refused: what it was before.
      if (before !== undefined) this.told.set(id, before);
      expect(status).toBeLessThan(500);
      return;
    }
    this.acknowledged++;
    this.told.set(id, { acknowledged: status === 204 ? null : (shown(body) as Json), unsure: false });
  }

  async make(ask: () => Promise<Reply>, name: string): Promise<Json | null> {
    const { status, body } = await ask();
    expect(status).toBeLessThan(500);
    if (status !== 201) return null;
    const made = body[name] as Json;
    this.acknowledged++;
    this.told.set(String(made['id']), { acknowledged: made, unsure: false });
    return made;
  }
}

/** Creates, changes and deletes resources until the connection breaks. */
async function busy(wire: Wire, ledger: Ledger, client: number): Promise<void> {
  const network = await ledger.make(() => wire.call('POST', 'networks', { network: {} }), 'network');
  const id = String(network?.['id']);
  const cidr = `10.${client}.0.0/16`;
  await wire.call('POST', 'subnets', { subnet: { network_id: id, ip_version: 4, cidr } });
  // Subnets revise their network, which nobody was told of.
  ledger.told.delete(id);
  for (let n = 0; ; n++) {
    const group = await ledger.make(
      () => wire.call('POST', 'security-groups', { security_group: { name: `g-${client}-${n}` } }),
      'security_group',
    );
    const port = await ledger.make(
      () =>
        wire.call('POST', 'ports', {
          port: { network_id: id, security_groups: [group?.['id'] ?? ''], name: 'a' },
        }),
      'port',
    );
    const path = `ports/${String(port?.['id'])}`;
    const put = (name: string) => () => wire.call('PUT', path, { port: { name, mac_address: null } });
    await ledger.change(String(port?.['id']), put('b'), (body) => body['port']);
    const bulk = { ports: [{ network_id: id }, { network_id: id }, { network_id: id }] };
    const { status, body } = await wire.call('POST', 'ports', bulk);
    if (status === 201)
      for (const one of body['ports'] as Json[])
        ledger.told.set(String(one['id']), { acknowledged: one, unsure: false });
    await ledger.change(String(port?.['id']), put('c'), (answer) => answer['port']);
    if (n % 2 === 0)
      await ledger.change(
        String(port?.['id']),
        () => wire.call('DELETE', path),
        () => null,
      );
    ledger.told.delete(String(group?.['id']));
  }
}

/** All clients until the process dies by `kill`. */
async function storm(endpoint: string, ledger: Ledger, kill: () => Promise<unknown>): Promise<void> {
  const wires = Array.from({ length: clients }, () => new Wire(endpoint));
  const before = ledger.acknowledged;
  const work = wires.map((wire, client) =>
    busy(wire, ledger, client).catch((error: NodeJS.ErrnoException) => {
      if (error.code === undefined && !/socket hang up|aborted/.test(error.message)) throw error;
    }),
  );
  await until(() => ledger.acknowledged > before + clients * 3, { timeout: 60_000, what: 'some writes' });
  await delay(Math.random() * 100);
  await kill();
  await Promise.all(work);
  for (const wire of wires) wire.close();
}

/** The store alone, once no process has it open. */
async function inspect(ledger: Ledger): Promise<void> {
  const store = await openStore({ kind: 'embedded', dir: join(dir, 'data') });
  try {
    const { entries } = await store.snapshot(['']);
    expect(violationsOf(entries)).toEqual([]);
    const held = new Map<string, Json>();
    for (const { key, value } of entries)
      if (/^(ports|networks|groups)\//.test(key))
        held.set(key.slice(key.lastIndexOf('/') + 1), JSON.parse(value) as Json);
    for (const [id, { acknowledged, unsure }] of ledger.told) {
      const found = held.get(id);
      if (unsure) continue;
      if (acknowledged === null) expect(found, id).toBeUndefined();
      else {
        const { name, mac_address, fixed_ips, revision_number } = acknowledged;
        expect(found, id).toMatchObject({
          name,
          revision_number,
          ...(mac_address === undefined ? {} : { mac_address, fixed_ips }),
        });
      }
    }
  } finally {
    await store.close();
  }
}

test(`a server dies ${rounds} times`, async () => {
  const ledger = new Ledger();
  for (let round = 0; round < rounds; round++) {
    const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', script, join(dir, 'data')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const closed = once(child, 'close');
    const kill = async () => {
      child.kill('SIGKILL');
      await closed;
    };
    ending.push(kill);
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
    await until(() => output.includes('\n'), { timeout: 60_000, what: 'the address' });
    await storm(output.trim(), ledger, kill);
    await inspect(ledger);
  }
  expect(ledger.acknowledged).toBeGreaterThan(rounds * clients);
});

test('so does what users run, with an agent beside the API', async () => {
  const lab: Switch = await startSwitch({ dummy: true });
  ending.push(() => lab.stop());
  const ovsdb = lab.dbTarget;
  const bridge = `pctk-${randomBytes(4).toString('hex')}`;
  const ledger = new Ledger();
  for (let round = 0; round < 2; round++) {
    const up = new UpProcess(join(dir, 'data'), ovsdb, ['--host', 'test', '--bridge', bridge]);
    ending.push(() => up.signal('SIGKILL'));
    await storm(await up.endpoint(), ledger, () => up.signal('SIGKILL'));
    await inspect(ledger);
  }
  // Who comes after finds all of it through the API too.
  const up = new UpProcess(join(dir, 'data'), ovsdb, ['--host', 'test', '--bridge', bridge]);
  ending.push(() => up.signal('SIGKILL'));
  expect(await portcullis(['check'], { PORTCULLIS_ENDPOINT: await up.endpoint() })).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^whole: \d+ entries agree\n$/),
  });
  const wire = new Wire(await up.endpoint());
  for (const [id, { acknowledged, unsure }] of ledger.told) {
    if (unsure || acknowledged === null || acknowledged['network_id'] === undefined) continue;
    const { body } = await wire.call('GET', `ports/${id}`);
    expect(body['port']).toMatchObject({
      id,
      name: acknowledged['name'],
      fixed_ips: acknowledged['fixed_ips'],
    });
  }
  wire.close();
});
