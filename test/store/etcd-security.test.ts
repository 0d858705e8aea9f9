/** etcd with TLS, client certificates and users: what an agent's user may write, and who may not come in at all. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { agentPermissions } from '../../src/cli/etcd-role.ts';
import { keys } from '../../src/model/keys.ts';
import { scopeDepth } from '../../src/model/scopes.ts';
import { EtcdConnection, type EtcdEndpoints } from '../../src/store/etcd/connection.ts';
import { EtcdStore } from '../../src/store/etcd/etcd-store.ts';
import { ProtoMessage } from '../../src/store/etcd/protobuf.ts';
import { beginningWith } from '../../src/store/etcd/scopes.ts';
import { record } from '../../src/store/testing/recorder.ts';
import { commitWrites, put } from '../../src/store/testing/writes.ts';
import { type Etcd, hasEtcd, startEtcd } from '../lib/etcd.ts';
import { until } from '../lib/wait.ts';

let etcd: Etcd;
let dir: string;
const stores: EtcdStore[] = [];

const file = (name: string): string => join(dir, name);
const openssl = (...args: readonly string[]): void => {
  execFileSync('openssl', args, { stdio: 'ignore', cwd: dir });
};

/** A certificate authority, and certificates by it for etcd and for a client. */
function makeCertificates(): void {
  const subject = (name: string) => ['-subj', `/CN=${name}`, '-days', '2', '-nodes', '-newkey', 'rsa:2048'];
  openssl('req', '-x509', ...subject('ca'), '-keyout', 'ca.key', '-out', 'ca.pem');
  for (const name of ['etcd', 'client']) {
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-addext', 'subjectAltName=IP:127.0.0.1'];
    openssl('req', '-x509', ...subject(name), ...signed, '-keyout', `${name}.key`, '-out', `${name}.pem`);
  }
}

const tls = (): NonNullable<EtcdEndpoints['tls']> => ({
  ca: readFileSync(file('ca.pem')),
  cert: readFileSync(file('client.pem')),
  key: readFileSync(file('client.key')),
});

async function open(
  options: Omit<EtcdEndpoints, 'addresses'>,
  client?: string,
  timeout = 5000,
): Promise<EtcdStore> {
  const { addresses } = etcd;
  const store = await EtcdStore.open({
    addresses,
    depthOf: scopeDepth,
    timeout,
    ...(client === undefined ? {} : { client }),
    ...options,
  });
  stores.push(store);
  return store;
}

/** Users `root` and `h1`; `h1` has the role of that host's agent. */
async function enableUsers(): Promise<void> {
  const connection = new EtcdConnection({ addresses: etcd.addresses, tls: tls() });
  const call = (method: string, request: ProtoMessage) =>
    connection.ask(`/etcdserverpb.Auth/${method}`, request, 5000);
  const named = (name: string, more = '') => new ProtoMessage().bytes(1, name).bytes(2, more);
  for (const role of ['root', 'agent-h1']) await call('RoleAdd', named(role));
  for (const { type, key, isPrefix } of agentPermissions('h1')) {
    const { end } = beginningWith(Buffer.from(key));
    const permission = new ProtoMessage().int(1, type === 'read' ? 0 : 2).bytes(2, key);
    if (isPrefix && end !== undefined) permission.bytes(3, end);
    await call('RoleGrantPermission', new ProtoMessage().bytes(1, 'agent-h1').message(2, permission));
  }
  for (const user of ['root', 'h1']) await call('UserAdd', named(user, `secret of ${user}`));
  await call('UserGrantRole', named('root', 'root'));
  await call('UserGrantRole', named('h1', 'agent-h1'));
  await call('AuthEnable', new ProtoMessage());
  connection.close();
}

beforeAll(async () => {
  if (!hasEtcd) return;
  dir = mkdtempSync(join(tmpdir(), 'portcullis-tls-'));
  makeCertificates();
  etcd = await startEtcd(
    1,
    [
      `--cert-file=${file('etcd.pem')}`,
      `--key-file=${file('etcd.key')}`,
      `--trusted-ca-file=${file('ca.pem')}`,
      '--client-cert-auth',
    ],
    'https',
  );
  await until(async () => (await open({ tls: tls() })).limits, { timeout: 20_000 });
  await enableUsers();
}, 60_000);
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  await etcd?.stop();
  if (dir !== undefined) await rm(dir, { recursive: true, force: true });
});

const user = (name: string, password = `secret of ${name}`) => ({ name, password });

describe.skipIf(!hasEtcd)('etcd with TLS and users (needs etcd-server)', () => {
  test('an agent reads, follows, and writes its own keys, but no port and no other host', async () => {
    const server = await open({ tls: tls(), user: user('root') }, 'servers');
    const agent = await open({ tls: tls(), user: user('h1') }, 'agents/h1');
    await commitWrites(server, [put(keys.port('n', 'p'), '{}')]);
    const reader = await record(agent, [keys.port.under('n'), keys.binding.under('n')]).listed();
    const lease = await agent.lease(60_000);
    await agent.txn([], [{ op: 'put', key: keys.host('h1'), value: '{}', lease }]);
    await agent.txn(
      [{ key: keys.port('n', 'p'), is: 'present' }],
      [put(keys.binding('n', 'p'), '{"host":"h1"}'), put(keys.hits('h1', 'r'), '{}')],
    );
    await reader.caughtUp();
    expect([...reader.view.keys()]).toEqual([keys.port('n', 'p'), keys.binding('n', 'p')]);
    const forbidden = [
      keys.port('n', 'p'),
      keys.port('n', 'new'),
      keys.network('n'),
      keys.host('h2'),
      keys.hits('h2', 'r'),
      keys.takenIp('n', '10.0.0.1'),
    ];
    const before = await server.snapshot(['']);
    for (const key of forbidden)
      await expect(agent.txn([], [put(key, '{"evil":true}')]), key).rejects.toThrow(/permission denied/);
    await expect(agent.txn([], [{ op: 'delete', key: keys.port('n', 'p') }])).rejects.toThrow(
      /permission denied/,
    );
    expect((await server.snapshot([''])).entries).toEqual(before.entries);
    await lease.revoke();
    expect(await server.get(keys.host('h1'))).toBeNull();
  });

  test('a token that etcd forgets is asked for again', async () => {
    const agent = await open({ tls: tls(), user: user('h1') }, 'agents/h1');
    const reader = await record(agent, [keys.binding.under('n')]).listed();
    await etcd.members[0]?.kill();
    etcd.members[0]?.restart();
    await until(async () => (await agent.txn([], [put(keys.binding('n', 'later'), '{}')])).ok);
    await until(() => reader.view.has(keys.binding('n', 'later')));
  }, 30_000);

  test('a wrong password, no user, no certificate and an unknown authority are refused', async () => {
    const { ca, ...own } = tls();
    const strangers: readonly Omit<EtcdEndpoints, 'addresses'>[] = [
      { tls: tls(), user: user('h1', 'wrong') },
      { tls: tls() },
      { ...(ca === undefined ? {} : { tls: { ca } }), user: user('h1') },
      { tls: own, user: user('h1') },
      { user: user('h1') },
    ];
    const outcomes = await Promise.allSettled(
      strangers.map(async (options) => {
        const store = await open(options, 'stranger', 1500);
        await store.txn([], [put(keys.binding('n', 'stranger'), '{}')]);
      }),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(strangers.map(() => 'rejected'));
  }, 30_000);
});
