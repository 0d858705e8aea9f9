/** Small servers that misbehave: whatever they send, a call ends with a Fault and the process lives. */
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { Ovsdb } from './client.ts';
import { Rpc } from './rpc.ts';

const servers: Server[] = [];
const sockets = new Set<Socket>();
const aborts: AbortController[] = [];

async function serve(behave: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    behave(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return `tcp:127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function lifetime(): AbortSignal {
  const controller = new AbortController();
  aborts.push(controller);
  return controller.signal;
}

afterEach(() => {
  for (const controller of aborts.splice(0)) controller.abort();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const server of servers.splice(0)) server.close();
});

/** Answers each request with what `answer` returns for it. */
function answering(answer: (request: { method: string; id: unknown }) => unknown) {
  return (socket: Socket) => {
    socket.on('data', (chunk) => {
      for (const text of chunk.toString().split(/(?<=\})(?=\{)/)) {
        const reply = answer(JSON.parse(text) as { method: string; id: unknown });
        if (reply !== undefined) socket.write(typeof reply === 'string' ? reply : JSON.stringify(reply));
      }
    });
  };
}

describe('rpc', () => {
  test('a call resolves with the result and rejects with the error', async () => {
    const target = await serve(
      answering(({ method, id }) =>
        method === 'good' ? { id, result: 'ü', error: null } : { id, result: null, error: 'bad words' },
      ),
    );
    const rpc = await Rpc.connect({ target, signal: lifetime() });
    await expect(rpc.call('good', [])).resolves.toBe('ü');
    await expect(rpc.call('other', [])).rejects.toMatchObject({
      data: { code: 'Refused', method: 'other', error: 'bad words' },
    });
  });

  test('an echo is answered with its own parameters', async () => {
    let heard: (text: string) => void = () => undefined;
    const reply = new Promise<string>((resolve) => {
      heard = resolve;
    });
    const target = await serve((socket) => {
      socket.on('data', (chunk) => heard(chunk.toString()));
      socket.write('{"method":"echo","params":["ping",1],"id":"echo"}');
    });
    await Rpc.connect({ target, signal: lifetime() });
    expect(JSON.parse(await reply)).toEqual({ id: 'echo', result: ['ping', 1], error: null });
  });

  test.each([
    ['plain text', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['an array', '[1,2]'],
    ['broken JSON', '{"id":1,}'],
    ['an answer to nothing', '{"id":77,"result":1,"error":null}'],
    ['an answer without id', '{"result":1}'],
    ['a method without parameters', '{"method":"update"}'],
    ['depth', `{"a":${'['.repeat(100_000)}`],
  ])('%s ends the connection with PeerProtocol', async (_name, text) => {
    const target = await serve((socket) => {
      socket.on('data', () => socket.write(text));
    });
    const rpc = await Rpc.connect({ target, signal: lifetime() });
    await expect(rpc.call('x', [])).rejects.toMatchObject({ data: { code: 'PeerProtocol' } });
    expect(rpc.open).toBe(false);
    await expect(rpc.call('x', [])).rejects.toMatchObject({ data: { code: 'PeerProtocol' } });
  });

  test('an endless message ends at the limit', async () => {
    const target = await serve((socket) => {
      socket.write('{"a":"');
      const more = () => {
        while (!socket.destroyed && socket.write('x'.repeat(65536)));
      };
      socket.on('drain', more);
      more();
    });
    const limits = { bytes: 1_000_000, depth: 10 };
    const rpc = await Rpc.connect({ target, signal: lifetime(), limits });
    await expect(rpc.call('x', [])).rejects.toMatchObject({ data: { code: 'PeerProtocol' } });
  });

  test('a peer that sends echo requests and never reads is disconnected', async () => {
    const target = await serve((socket) => {
      socket.pause();
      const request = JSON.stringify({ method: 'echo', params: ['x'.repeat(1_000_000)], id: 1 });
      const more = () => {
        while (!socket.destroyed && socket.write(request));
      };
      socket.on('drain', more);
      more();
    });
    const rpc = await Rpc.connect({ target, signal: lifetime() });
    await expect(rpc.call('x', [])).rejects.toMatchObject({ data: { code: 'Disconnected' } });
  });

  test('a silent peer is probed and disconnected', async () => {
    const target = await serve(() => undefined);
    const rpc = await Rpc.connect({ target, signal: lifetime(), probeInterval: 20 });
    await expect(rpc.call('x', [])).rejects.toThrow(/silent/);
  });

  test('a peer that answers probes stays connected', async () => {
    let probes = 0;
    let enough: () => void = () => undefined;
    const third = new Promise<void>((resolve) => {
      enough = resolve;
    });
    const target = await serve(
      answering(({ id }) => {
        if (++probes === 3) enough();
        return { id, result: [], error: null };
      }),
    );
    const rpc = await Rpc.connect({ target, signal: lifetime(), probeInterval: 20 });
    await third;
    expect(rpc.open).toBe(true);
  });

  test('a stall of this process does not count as silence of the peer', async () => {
    const probes: unknown[] = [];
    const target = await serve(
      answering(({ id }) => {
        probes.push(id);
        return { id, result: [], error: null };
      }),
    );
    const rpc = await Rpc.connect({ target, signal: lifetime(), probeInterval: 20 });
    while (probes.length < 10) {
      const stallEnd = performance.now() + 50;
      while (performance.now() < stallEnd);
      await setImmediate();
    }
    expect(rpc.open).toBe(true);
  });

  test('a call can time out and be aborted, and its late answer does no harm', async () => {
    let late: () => void = () => undefined;
    const target = await serve((socket) => {
      answering(({ method, id }) => {
        if (method !== 'slow') return { id, result: 'fine', error: null };
        late = () => socket.write(JSON.stringify({ id, result: 'late', error: null }));
        return undefined;
      })(socket);
    });
    const rpc = await Rpc.connect({ target, signal: lifetime() });
    await expect(rpc.call('slow', [], { timeout: 10 })).rejects.toMatchObject({ data: { code: 'Timeout' } });
    late();
    const controller = new AbortController();
    const call = rpc.call('slow', [], { signal: controller.signal });
    controller.abort();
    await expect(call).rejects.toMatchObject({ data: { code: 'Aborted' } });
    await expect(rpc.call('x', [])).resolves.toBe('fine');
  });

  test('an absent peer is Unreachable, an aborted signal is Aborted', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'portcullis-rpc-'));
    await expect(Rpc.connect({ target: `unix:${dir}/none` })).rejects.toMatchObject({
      data: { code: 'Unreachable' },
    });
    await expect(
      Rpc.connect({ target: `unix:${dir}/none`, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ data: { code: 'Aborted' } });
    rmSync(dir, { recursive: true });
  });
});

describe('a database that lies', () => {
  const schema = { tables: { Open_vSwitch: { columns: { cur_cfg: { type: 'integer' } } } } };
  const lies: Record<string, (request: { method: string; id: unknown }) => unknown> = {
    'answers null to all': ({ id }) => ({ id, result: null, error: null }),
    'refuses all': ({ id }) => ({ id, result: null, error: { error: 'no' } }),
    'has another schema': ({ id }) => ({ id, result: { tables: { Elephant: {} } }, error: null }),
    'has columns of another shape': ({ id }) => ({
      id,
      result: { tables: { Open_vSwitch: { columns: { bridges: { type: 'integer' } } } } },
      error: null,
    }),
    'sends rows of wrong types': ({ id, method }) => ({
      id,
      result:
        method === 'get_schema'
          ? schema
          : [false, 'x', { Open_vSwitch: { u: { initial: { cur_cfg: ['map', 1] } } } }],
      error: null,
    }),
    'modifies what is not there': ({ id, method }) => ({
      id,
      result: method === 'get_schema' ? schema : [true, 'x', { Open_vSwitch: { u: { modify: {} } } }],
      error: null,
    }),
    'talks garbage': () => 'garbage',
  };

  test.each(Object.keys(lies))('one that %s is tried again and never believed', async (name) => {
    let connections = 0;
    let again: () => void = () => undefined;
    const third = new Promise<void>((resolve) => {
      again = resolve;
    });
    const target = await serve((socket) => {
      if (++connections === 3) again();
      answering((request) => lies[name]?.(request))(socket);
    });
    const events: string[] = [];
    const client = new Ovsdb({
      target,
      signal: lifetime(),
      onUpdate: () => events.push('update'),
      onUp: () => events.push('up'),
      onDown: () => events.push('down'),
    });
    await third;
    expect(events).toEqual([]);
    expect(client.up).toBe(false);
    await expect(client.transact([{ op: 'comment', comment: 'x' }])).rejects.toMatchObject({
      data: { code: 'NotConnected' },
    });
  });

  test('one that knows neither update3 nor update2 is followed by plain monitor', async () => {
    let connection: Socket | undefined;
    const target = await serve((socket) => {
      connection = socket;
      answering(({ id, method }) => {
        if (method === 'get_schema') return { id, result: schema, error: null };
        if (method !== 'monitor') return { id, result: null, error: 'unknown method' };
        const first = { id, result: { Open_vSwitch: { u: { new: { cur_cfg: 1 } } } }, error: null };
        const update = { u: { old: { cur_cfg: 1 }, new: { cur_cfg: 2 } } };
        // In one chunk: the message after the answer must not overtake it.
        return `${JSON.stringify(first)}${JSON.stringify({
          method: 'update',
          params: ['portcullis', { Open_vSwitch: update }],
          id: null,
        })}`;
      })(socket);
    });
    const seen: unknown[] = [];
    await new Promise<void>((resolve) => {
      const client: Ovsdb = new Ovsdb({
        target,
        signal: lifetime(),
        onUpdate: (batch) => seen.push(batch.Open_vSwitch.map(({ row }) => row?.cur_cfg)),
        onUp: () => {
          expect(client.rows('Open_vSwitch').get('u')?.cur_cfg).toBe(2);
          resolve();
        },
      });
    });
    expect(seen).toEqual([[1], [2]]);
    expect(connection?.destroyed).toBe(false);
  });
});
