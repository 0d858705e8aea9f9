/** The OVSDB client against a real, private ovsdb-server and ovs-vswitchd. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  addPort,
  type DatabaseUpdate,
  ensureBridge,
  findByName,
  Ovsdb,
  removeBridge,
  removePort,
  type Start,
  setBridgeExternalIds,
} from '../../src/ovsdb/index.ts';
import { type Switch, type SwitchOptions, startSwitch } from '../lib/switch.ts';
import { until } from '../lib/wait.ts';

interface Watched {
  readonly client: Ovsdb;
  readonly batches: DatabaseUpdate[];
  readonly ups: Start[];
  readonly downs: string[];
}

let made: Switch;
let life: AbortController;

beforeEach(() => {
  life = new AbortController();
});
afterEach(async () => {
  life.abort();
  await made.stop();
});

async function start(options: SwitchOptions, target?: (made: Switch) => string): Promise<Watched> {
  made = await startSwitch(options);
  const batches: DatabaseUpdate[] = [];
  const ups: Start[] = [];
  const downs: string[] = [];
  const client = new Ovsdb({
    target: target?.(made) ?? made.dbTarget,
    signal: life.signal,
    onUpdate: (batch) => batches.push(batch),
    onUp: (how) => ups.push(how),
    onDown: (reason) => downs.push(reason),
  });
  await until(() => client.up, { what: 'the client is up' });
  return { client, batches, ups, downs };
}

function interfaceNames(client: Ovsdb): string[] {
  return [...client.rows('Interface').values()].map(({ name }) => name).sort();
}

describe('with a switch', () => {
  test('a bridge and its ports are there when the change is applied, and gone when removed', async () => {
    const { client } = await start({ dummy: true });
    const spec = {
      name: 'br-int',
      datapathType: 'dummy',
      failMode: 'secure',
      protocols: ['OpenFlow15'],
      externalIds: { owner: 'portcullis' },
    } as const;
    await client.transactApplied(ensureBridge(client, spec));
    expect(ensureBridge(client, spec)).toEqual([]);
    expect(findByName(client, 'Bridge', 'br-int')?.row).toMatchObject({
      datapath_type: 'dummy',
      fail_mode: 'secure',
      protocols: expect.arrayContaining(['OpenFlow10', 'OpenFlow15']) as unknown,
    });

    const externalIds = { 'iface-id': 'p-1', 'attached-mac': '02:00:00:00:00:01' };
    const port = { bridge: 'br-int', name: 'tap1', type: 'dummy', externalIds, ofportRequest: 7 };
    await client.transactApplied(addPort(port));
    const added = findByName(client, 'Interface', 'tap1')?.row;
    expect(added).toMatchObject({ ofport: 7, external_ids: new Map(Object.entries(externalIds)) });
    expect(added?.mac_in_use).toMatch(/^[0-9a-f:]{17}$/);
    expect(await made.ofctl('show', 'br-int')).toContain(' 7(tap1)');

    await client.transactApplied(removePort(client, 'tap1'));
    expect(findByName(client, 'Interface', 'tap1')).toBeUndefined();
    expect(removePort(client, 'tap1')).toEqual([]);
    await client.transactApplied(removeBridge(client, 'br-int'));
    expect(client.rows('Bridge').size).toBe(0);
    expect(await made.vsctl('list-br')).toBe('');
  });

  test('a port of a device that does not exist carries its error', async () => {
    const { client } = await start({ dummy: true });
    await client.transactApplied(ensureBridge(client, { name: 'br0', datapathType: 'dummy' }));
    await client.transactApplied(addPort({ bridge: 'br0', name: 'nowhere', type: 'tunnel-of-love' }));
    await until(() => findByName(client, 'Interface', 'nowhere')?.row.error !== null);
  });

  test('an existing bridge is changed to the specification, its other settings stay', async () => {
    const { client } = await start({ dummy: true });
    await made.vsctl('add-br', 'br0', '--', 'set', 'Bridge', 'br0', 'datapath_type=dummy');
    await made.vsctl('set', 'Bridge', 'br0', 'protocols=OpenFlow13', 'external_ids:theirs=1');
    await until(() => findByName(client, 'Bridge', 'br0')?.row.external_ids.has('theirs'));
    const spec = { name: 'br0', failMode: 'secure', protocols: ['OpenFlow15'], externalIds: { ours: '2' } };
    await client.transactApplied(ensureBridge(client, { ...spec, failMode: 'secure' }));
    expect(findByName(client, 'Bridge', 'br0')?.row).toMatchObject({
      fail_mode: 'secure',
      protocols: ['OpenFlow13', 'OpenFlow15'],
      external_ids: new Map([
        ['ours', '2'],
        ['theirs', '1'],
      ]),
    });
  });

  test('a change is not applied while the switch is down', async () => {
    const { client } = await start({ vswitchd: false });
    const applied = client.transactApplied(ensureBridge(client, { name: 'br0' }), { timeout: 100 });
    await expect(applied).rejects.toMatchObject({ data: { code: 'NotApplied' } });
    expect(findByName(client, 'Bridge', 'br0')).toBeDefined();
  });
});

describe('with a database alone', () => {
  test('external_ids of any script are set, changed and removed key by key', async () => {
    const { client } = await start({ vswitchd: false });
    await client.transact(ensureBridge(client, { name: 'br0' }));
    const ids = () => Object.fromEntries(findByName(client, 'Bridge', 'br0')?.row.external_ids ?? []);
    const long = '\u{1f512}ключ'.repeat(5000);
    await client.transact(setBridgeExternalIds(client, 'br0', { 'zone:сеть': '1', 'zone:"{': '2', long }));
    // The answer follows the update: the rows are current without waiting.
    expect(ids()).toEqual({ 'zone:сеть': '1', 'zone:"{': '2', long });
    await client.transact(
      setBridgeExternalIds(client, 'br0', { 'zone:сеть': '9', long: null, absent: null }),
    );
    expect(ids()).toEqual({ 'zone:сеть': '9', 'zone:"{': '2' });
    expect(setBridgeExternalIds(client, 'br0', { 'zone:сеть': '9' })).toEqual([]);
  });

  test('a transaction that fails changes nothing and says where it failed', async () => {
    const { client } = await start({ vswitchd: false });
    await expect(client.transact(addPort({ bridge: 'none', name: 'p' }))).rejects.toMatchObject({
      data: { code: 'TransactionFailed', error: 'timed out', operation: 0 },
    });
    await client.transact(ensureBridge(client, { name: 'br0' }));
    await client.transact(addPort({ bridge: 'br0', name: 'p' }));
    await expect(client.transact(addPort({ bridge: 'br0', name: 'p' }))).rejects.toMatchObject({
      data: { code: 'TransactionFailed', error: 'constraint violation', operation: null },
    });
    await expect(client.transact([{ op: 'insert', table: 'Elephant', row: {} }])).rejects.toMatchObject({
      data: { code: 'TransactionFailed', operation: 0 },
    });
    expect(interfaceNames(client)).toEqual(['br0', 'p']);
  });

  test('2000 interfaces at once are one batch', async () => {
    const { client, batches } = await start({ vswitchd: false });
    await client.transact(ensureBridge(client, { name: 'br0' }));
    batches.length = 0;
    const ports = Array.from({ length: 2000 }, (_, i) => {
      const [exists, nic, port, bridge] = addPort({
        bridge: 'br0',
        name: `tap${i}`,
        externalIds: { 'iface-id': `порт-${i}` },
      });
      const numbered = JSON.stringify([...(i === 0 ? [exists] : []), nic, port, bridge])
        .replaceAll('"interface"', `"interface${i}"`)
        .replaceAll('"port"', `"port${i}"`);
      return JSON.parse(numbered) as ReturnType<typeof addPort>;
    });
    await client.transact(ports.flat());
    expect(batches.map((batch) => [batch.Interface.length, batch.Port.length, batch.Bridge.length])).toEqual([
      [2000, 2000, 1],
    ]);
    expect(findByName(client, 'Interface', 'tap1999')?.row.external_ids.get('iface-id')).toBe('порт-1999');
    const fresh: DatabaseUpdate[] = [];
    const other = new Ovsdb({
      target: made.dbTarget,
      signal: life.signal,
      onUpdate: (batch) => fresh.push(batch),
    });
    await until(() => other.up);
    expect(fresh.map((batch) => batch.Interface.length)).toEqual([2001]);
    expect([...other.rows('Bridge').values()]).toEqual([...client.rows('Bridge').values()]);
  });

  test.each(['graceful', 'kill'] as const)(
    'the client reconnects to a restarted server (%s), and changes meanwhile are one batch',
    async (how) => {
      const { client, batches, ups, downs } = await start({ vswitchd: false });
      await client.transact(ensureBridge(client, { name: 'br0' }));
      await client.transact(addPort({ bridge: 'br0', name: 'old' }));
      batches.length = 0;
      await made.stopDaemon('ovsdb-server', how);
      await until(() => downs.length === 1);
      expect(interfaceNames(client)).toEqual(['br0', 'old']);
      await made.startDatabase();
      await until(() => ups.length === 2 && client.up);
      expect(batches).toEqual([]);
      await made.vsctl('--no-wait', 'add-port', 'br0', 'new', '--', 'del-port', 'old');
      await until(() => interfaceNames(client).join() === 'br0,new');
      expect(batches.map((batch) => batch.Interface.map(({ old, row }) => [old?.name, row?.name]))).toEqual([
        expect.arrayContaining([
          ['old', undefined],
          [undefined, 'new'],
        ]),
      ]);
    },
  );

  test('a fault in a callback does not cost the connection', async () => {
    made = await startSwitch({ vswitchd: false });
    const errors: object[] = [];
    const log = {
      info: () => undefined,
      warn: () => undefined,
      error: (fields: object) => errors.push(fields),
    };
    const onUpdate = () => {
      throw new Error('mine');
    };
    const client = new Ovsdb({ target: made.dbTarget, signal: life.signal, log, onUpdate });
    await until(() => client.up);
    await client.transact(ensureBridge(client, { name: 'br0' }));
    expect(client.up).toBe(true);
    expect(errors).toHaveLength(2);
  });

  test('the signal ends the client and every waiting call', async () => {
    const { client } = await start({ vswitchd: false });
    const applied = client.transactApplied(ensureBridge(client, { name: 'br0' }), { timeout: 60_000 });
    await until(() => findByName(client, 'Bridge', 'br0'));
    life.abort();
    await expect(applied).rejects.toMatchObject({
      data: { code: expect.stringMatching(/Aborted|Disconnected/) as unknown },
    });
    await client.done;
    expect(client.up).toBe(false);
  });
});

describe('with a clustered database', () => {
  let proxy: Server | undefined;
  afterEach(() => {
    proxy?.close();
  });

  test('a lost connection is resumed: only later changes come', async () => {
    const through = new Set<Socket>();
    let heard = 0;
    let cut = false;
    const { client, batches, ups } = await start({ vswitchd: false, clustered: true }, (made) => {
      const path = `${made.dir}/proxy.sock`;
      proxy = createServer((near) => {
        if (cut) {
          near.destroy();
          return;
        }
        const far = connect(made.dbTarget.slice('unix:'.length));
        for (const socket of [near, far]) {
          through.add(socket);
          socket.on('error', () => undefined);
        }
        far.on('data', (chunk) => {
          heard += chunk.length;
        });
        near.pipe(far).pipe(near);
        near.on('close', () => far.destroy());
        far.on('close', () => near.destroy());
      }).listen(path);
      return `unix:${path}`;
    });
    await client.transact(ensureBridge(client, { name: 'br0' }));
    // The server drops transactions that outweigh the database, so the database must have some size.
    await made.vsctl(
      '--no-wait',
      ...Array.from({ length: 300 }, (_, i) => ['--', 'add-port', 'br0', `tap${i}`]).flat(),
    );
    const filler = 'x'.repeat(200_000);
    await client.transact(setBridgeExternalIds(client, 'br0', { filler }));
    batches.length = 0;
    cut = true;
    for (const socket of through) socket.destroy();
    await until(() => !client.up);
    await made.vsctl('--no-wait', 'add-port', 'br0', 'meanwhile');
    heard = 0;
    cut = false;
    await until(() => client.up && ups.length === 2);
    expect(ups).toEqual(['full', 'resumed']);
    expect(batches.map((batch) => batch.Interface.map(({ row }) => row?.name))).toEqual([['meanwhile']]);
    expect(findByName(client, 'Bridge', 'br0')?.row.external_ids.get('filler')).toBe(filler);
    expect(heard).toBeLessThan(filler.length);
  });
});
