/** From requests and from what hosts write, by a real HTTP endpoint, to the events that a compute service is sent. */
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { keys } from '../../model/keys.ts';
import { KeystoneClient } from '../identity/keystone-client.ts';
import { type Json, openUnderTest, type TestClient, type UnderTest } from '../testing/api-under-test.ts';
import { Hosts } from '../testing/hosts.ts';
import { Notifier, type NotifierOptions } from './notifier.ts';
import { NovaClient } from './nova-client.ts';
import { ComputeService } from './testing/compute-service.ts';

const server = '7d7b6a44-63a5-4b8a-9a6a-0b7c5f1e2d3c';
const interval = 100;

let under: UnderTest;
let client: TestClient;
let network: string;
let nova: ComputeService;
let notifiers: Notifier[];

beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
  network = String((await client.make('networks', {}))['id']);
  nova = new ComputeService();
  await nova.open();
  notifiers = [];
});
afterEach(async () => {
  await Promise.all(notifiers.map((notifier) => notifier.stop()));
  await nova.close();
  await under.close();
});

const eventually = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 10_000, interval: 5 });

function make(changes: Partial<NotifierOptions> = {}, timeout = 5000): Notifier {
  const notifier = new Notifier({
    store: under.store,
    log: pino({ level: 'silent' }),
    client: new NovaClient({ url: nova.url, tokens: null, timeout }),
    interval,
    backoff: { minDelay: 20, maxDelay: 100 },
    lease: { renewInterval: 50, ttl: 2000 },
    ...changes,
  });
  notifiers.push(notifier);
  return notifier;
}

/** Resolves when it has noted what was there before. */
async function begin(changes: Partial<NotifierOptions> = {}, timeout = 5000): Promise<Notifier> {
  const notifier = make(changes, timeout);
  notifier.start();
  await eventually(async () => {
    expect(notifier.status.telling).toBe(true);
    expect(await under.store.get(keys.novaBegan())).not.toBe(null);
  });
  return notifier;
}

const makePort = async (more: Json = {}): Promise<string> => {
  const attributes = { network_id: network, device_owner: 'compute:nova', device_id: server, ...more };
  return String((await client.make('ports', attributes))['id']);
};

async function held(port: string, host: string, status: 'ACTIVE' | 'DOWN'): Promise<void> {
  const value = JSON.stringify({ host, status });
  await under.store.txn([], [{ op: 'put', key: keys.binding(network, port), value }]);
}

const event = (name: string, tag: string, more: Json = {}) => ({ name, server_uuid: server, tag, ...more });
const completed = { status: 'completed' };

test('a server boots, changes and goes: each step is told, with its words', async () => {
  await begin();
  const port = String((await client.make('ports', { network_id: network, device_id: server }))['id']);
  const bound = { device_owner: 'compute:nova', 'binding:host_id': 'h1' };
  await client.change('ports', port, bound);
  await eventually(() => expect(nova.events).toEqual([event('network-changed', port)]));
  await held(port, 'h1', 'ACTIVE');
  await eventually(() => expect(nova.events.at(-1)).toEqual(event('network-vif-plugged', port, completed)));
  await client.change('ports', port, { allowed_address_pairs: [{ ip_address: '10.9.9.9' }] });
  await eventually(() => expect(nova.saidOf(port)).toHaveLength(3));
  await held(port, 'h1', 'DOWN');
  await eventually(() => expect(nova.events.at(-1)).toEqual(event('network-vif-unplugged', port, completed)));
  await client.remove('ports', port);
  await eventually(() => expect(nova.events.at(-1)).toEqual(event('network-vif-deleted', port)));
  expect(nova.saidOf(port)).toEqual([
    'network-changed',
    'network-vif-plugged',
    'network-changed',
    'network-vif-unplugged',
    'network-vif-deleted',
  ]);
  expect(nova.calls[0]?.path).toBe('/v2.1/os-server-external-events');
  expect(nova.calls[0]?.token).toBe(undefined);
  await eventually(async () => expect(await under.store.get(keys.novaTold(port))).toBe(null));
});

test('a server moves: given up at one host, plugged at the other', async () => {
  await begin();
  const port = await makePort({ 'binding:host_id': 'h1' });
  await held(port, 'h1', 'ACTIVE');
  await eventually(() => expect(nova.saidOf(port)).toEqual(['network-vif-plugged']));
  await (await Hosts.oneAndTwo(under, client)).live('h2');
  await client.call('POST', `/v2.0/ports/${port}/bindings`, { binding: { host: 'h2' } });
  await eventually(() => expect(nova.saidOf(port)).toHaveLength(2));
  await client.call('PUT', `/v2.0/ports/${port}/bindings/h2/activate`);
  await eventually(() =>
    expect(nova.saidOf(port).slice(2)).toEqual(['network-vif-unplugged', 'network-changed']),
  );
  await held(port, 'h2', 'ACTIVE');
  await eventually(() => expect(nova.saidOf(port).slice(4)).toEqual(['network-vif-plugged']));
});

test('ports of nobody, of routers and of things that are no servers are not told of', async () => {
  await begin();
  const others = await Promise.all([
    makePort({ device_owner: '' }),
    makePort({ device_id: '' }),
    makePort({ device_id: 'mine' }),
    makePort({ device_owner: 'network:dhcp' }),
  ]);
  for (const port of others) await held(port, 'h1', 'ACTIVE');
  for (const port of others) await client.change('ports', port, { name: 'x' });
  for (const port of others) await client.remove('ports', port);
  const last = await makePort();
  await held(last, 'h1', 'ACTIVE');
  await eventually(() => expect(nova.saidOf(last)).toEqual(['network-vif-plugged']));
  expect(nova.events).toHaveLength(1);
});

test('what comes together is told together, and as often as the interval says', async () => {
  await begin();
  const ports = await Promise.all(Array.from({ length: 40 }, () => makePort()));
  const started = performance.now();
  for (const port of ports) await held(port, 'h1', 'ACTIVE');
  for (const port of ports) await client.change('ports', port, { name: 'renamed' });
  await eventually(() => expect(nova.events).toHaveLength(80));
  const most = 2 + Math.ceil((performance.now() - started) / interval);
  expect(nova.calls.length).toBeLessThanOrEqual(most);
  for (const port of ports) expect(nova.saidOf(port)).toEqual(['network-vif-plugged', 'network-changed']);
});

test('more than fits in one message comes in several, whole and once', async () => {
  await begin();
  nova.mood = 503;
  const ports = Array.from(
    { length: 700 },
    (_, i) => `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`,
  );
  const like = JSON.parse((await under.store.get(keys.port(network, await makePort())))?.value ?? '') as Json;
  await under.store.txn(
    [],
    ports.flatMap((id) => [
      { op: 'put', key: keys.port(network, id), value: JSON.stringify({ ...like, id }) } as const,
      {
        op: 'put',
        key: keys.binding(network, id),
        value: JSON.stringify({ host: 'h1', status: 'ACTIVE' }),
      } as const,
    ]),
  );
  await eventually(() => expect(notifiers[0]?.status.pending).toBe(700));
  nova.mood = 'well';
  await eventually(() => expect(nova.events).toHaveLength(700));
  expect(nova.calls.map(({ events }) => events.length)).toEqual([500, 200]);
  await eventually(async () =>
    expect((await under.store.snapshot([keys.novaTold.prefix])).entries).toHaveLength(700),
  );
});

describe('a compute service that does not take what it is told', () => {
  test.each([[500], [503], [429], [403], [0], ['babbling' as const], ['silent' as const]])(
    'is told again: %s',
    async (mood) => {
      const notifier = await begin({}, 100);
      nova.mood = mood;
      const port = await makePort();
      await held(port, 'h1', 'ACTIVE');
      await eventually(() => expect(notifier.status.failures).toBeGreaterThan(2));
      // What came to nothing meanwhile is said in the end, in order, and what was said twice once.
      await client.change('ports', port, { name: 'a' });
      await client.change('ports', port, { name: 'b' });
      await eventually(() => expect(notifier.status.pending).toBe(2));
      nova.mood = 'well';
      await eventually(() => expect(nova.saidOf(port)).toEqual(['network-vif-plugged', 'network-changed']));
      await eventually(() => expect(notifier.status).toMatchObject({ pending: 0, taken: 2, refused: 0 }));
    },
  );

  test('and is not there at all: no request waits for it, and it hears of all when it comes', async () => {
    const notifier = await begin();
    await nova.close();
    const port = await makePort();
    const gone = await makePort();
    await held(port, 'h1', 'ACTIVE');
    await held(gone, 'h1', 'ACTIVE');
    await client.remove('ports', gone);
    await eventually(() => expect(notifier.status.failures).toBeGreaterThan(2));
    await nova.open();
    await eventually(() => expect(nova.events).toHaveLength(2));
    expect(nova.saidOf(port)).toEqual(['network-vif-plugged']);
    expect(nova.saidOf(gone)).toEqual(['network-vif-deleted']);
  });

  test('is not bothered again with servers that it does not know', async () => {
    const notifier = await begin();
    const stranger = '11111111-2222-3333-4444-555555555555';
    nova.unknown.add(stranger);
    const [known, unknown] = [await makePort(), await makePort({ device_id: stranger })];
    await held(unknown, 'h1', 'ACTIVE');
    await eventually(() => expect(notifier.status).toMatchObject({ refused: 1, pending: 0 }));
    await held(unknown, 'h1', 'DOWN');
    await held(known, 'h1', 'ACTIVE');
    await eventually(() => expect(notifier.status).toMatchObject({ refused: 2, taken: 1, pending: 0 }));
    expect(notifier.status.failures).toBe(0);
  });

  test.each([[400], [404]])('for good is not asked again: %i', async (mood) => {
    const notifier = await begin();
    nova.mood = mood;
    await held(await makePort(), 'h1', 'ACTIVE');
    await eventually(() => expect(notifier.status).toMatchObject({ refused: 1, pending: 0, failures: 0 }));
    expect(nova.arrived).toBe(1);
  });
});

describe('with an account', () => {
  const account = {
    username: 'neutron',
    password: 'right',
    project: 'service',
    userDomain: 'Default',
    projectDomain: 'Default',
  };
  const begun = () => {
    const tokens = new KeystoneClient({ ...account, url: nova.url }, 5000);
    return begin({ client: new NovaClient({ url: `${nova.url}/v2.1/`, tokens, timeout: 5000 }) });
  };

  test('one token serves until it is refused; then there is a new one', async () => {
    nova.tokens = new Set();
    const notifier = await begun();
    const port = await makePort();
    await held(port, 'h1', 'ACTIVE');
    await eventually(() => expect(nova.saidOf(port)).toHaveLength(1));
    await held(port, 'h1', 'DOWN');
    await eventually(() => expect(nova.saidOf(port)).toHaveLength(2));
    expect(nova.logins).toBe(1);
    expect(nova.calls.map(({ token }) => token)).toEqual(['token-1', 'token-1']);
    nova.tokens.clear();
    await held(port, 'h1', 'ACTIVE');
    await eventually(() => expect(nova.saidOf(port)).toHaveLength(3));
    expect(nova.calls.at(-1)?.token).toBe('token-2');
    expect(nova.logins).toBe(2);
    expect(notifier.status.failures).toBe(0);
    expect(nova.calls.map(({ path }) => path)).toEqual(Array(3).fill('/v2.1/os-server-external-events'));
  });

  test('Keystone away puts events off', async () => {
    const tokens = new KeystoneClient({ ...account, url: 'http://127.0.0.1:1' }, 1000);
    const notifier = await begin({ client: new NovaClient({ url: nova.url, tokens, timeout: 5000 }) });
    await held(await makePort(), 'h1', 'ACTIVE');
    await eventually(() => expect(notifier.status.failures).toBeGreaterThan(1));
    expect(nova.arrived).toBe(0);
    expect(notifier.status.pending).toBe(1);
  });
});

describe('over ends and beginnings', () => {
  test('what happened while no server was there is told, what was told is not told again', async () => {
    const first = await begin();
    const [stays, goes, comes, changes] = await Promise.all(Array.from({ length: 4 }, () => makePort()));
    for (const port of [stays, goes, changes] as string[]) await held(port, 'h1', 'ACTIVE');
    await eventually(() => expect(nova.events).toHaveLength(3));
    await eventually(async () =>
      expect((await under.store.snapshot([keys.novaTold.prefix])).entries).toHaveLength(3),
    );
    await first.stop();
    await held(String(comes), 'h1', 'ACTIVE');
    await client.remove('ports', goes);
    await client.change('ports', changes, { name: 'x' });
    await held(String(changes), 'h1', 'DOWN');
    await begin();
    await eventually(() => expect(nova.events).toHaveLength(7));
    expect(nova.saidOf(stays)).toEqual(['network-vif-plugged']);
    expect(nova.saidOf(goes)).toEqual(['network-vif-plugged', 'network-vif-deleted']);
    expect(nova.saidOf(comes)).toEqual(['network-vif-plugged']);
    expect(nova.saidOf(changes)).toEqual(['network-vif-plugged', 'network-vif-unplugged', 'network-changed']);
  });

  test('what was not taken before the end is told after the next beginning', async () => {
    const first = await begin();
    nova.mood = 503;
    const port = await makePort();
    await held(port, 'h1', 'ACTIVE');
    await eventually(() => expect(first.status.failures).toBeGreaterThan(0));
    await first.stop();
    nova.mood = 'well';
    await begin();
    await eventually(() => expect(nova.saidOf(port)).toEqual(['network-vif-plugged']));
  });

  test('of what was there before anybody was told, only what changes is told', async () => {
    const [quiet, lively] = [await makePort(), await makePort()];
    for (const port of [quiet, lively]) await held(port, 'h1', 'ACTIVE');
    await client.change('ports', quiet, { name: 'x' });
    await begin();
    await held(lively, 'h1', 'DOWN');
    await eventually(() => expect(nova.saidOf(lively)).toEqual(['network-vif-unplugged']));
    await client.remove('ports', quiet);
    await eventually(() => expect(nova.saidOf(quiet)).toEqual(['network-vif-deleted']));
    expect(nova.events).toHaveLength(2);
  });

  test('of several servers on one store one tells, and another when that has gone', async () => {
    const first = await begin();
    const second = make();
    second.start();
    const third = make();
    third.start();
    const port = await makePort();
    await held(port, 'h1', 'ACTIVE');
    await eventually(() => expect(nova.saidOf(port)).toHaveLength(1));
    expect(second.status.telling || third.status.telling).toBe(false);
    await first.stop();
    await eventually(() => expect(Number(second.status.telling) + Number(third.status.telling)).toBe(1));
    await held(port, 'h1', 'DOWN');
    await eventually(() => expect(nova.saidOf(port)).toHaveLength(2));
    expect(nova.saidOf(port)).toEqual(['network-vif-plugged', 'network-vif-unplugged']);
  });

  test('a server that was killed is replaced, and one that comes back late says nothing more', async () => {
    const first = await begin();
    const port = await makePort();
    await held(port, 'h1', 'ACTIVE');
    await eventually(() => expect(nova.saidOf(port)).toHaveLength(1));
    await eventually(async () => expect(await under.store.get(keys.novaTold(port))).not.toBe(null));
    // As a taker would, once the first has been silent.
    await under.store.txn([], [{ op: 'put', key: keys.novaLease(), value: 'another' }]);
    await eventually(() => expect(first.status.telling).toBe(false));
    await held(port, 'h1', 'DOWN');
    expect(first.status).toMatchObject({ taken: 1, pending: 0 });
    // The other is silent from the start: after its time the first is asked again.
    await eventually(() =>
      expect(nova.saidOf(port)).toEqual(['network-vif-plugged', 'network-vif-unplugged']),
    );
    await eventually(() => expect(first.status).toMatchObject({ telling: true, taken: 2 }));
  });
});

test('records that are none are left out', async () => {
  const broken: readonly (readonly [string, string])[] = [
    [keys.port(network, 'broken'), '{'],
    [keys.port(network, 'strange'), '{"device_id":5}'],
    [keys.binding(network, 'strange'), '[1]'],
    [keys.novaTold('odd'), 'null'],
    [keys.novaTold('odder'), '}'],
    [keys.novaBegan(), ''],
  ];
  const { store } = under;
  await client.api.close();
  await store.txn(
    [],
    broken.map(([key, value]) => ({ op: 'put', key, value })),
  );
  await begin();
  const record = { device_id: server, device_owner: 'compute:x', revision_number: 2, 'binding:host_id': '' };
  await store.txn([], [{ op: 'put', key: keys.port(network, 'good'), value: JSON.stringify(record) }]);
  await eventually(() => expect(nova.events).toEqual([event('network-changed', 'good')]));
});
