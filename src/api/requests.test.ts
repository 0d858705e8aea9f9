import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectRefusal, openUnderTest, type TestClient, type UnderTest } from './testing/api-under-test.ts';

let under: UnderTest;
let client: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
});
afterEach(() => under.close());

describe('documents', () => {
  it('lead clients to the API', async () => {
    const root = await client.call('GET', '/');
    expect(root.body).toEqual({
      versions: [
        { id: 'v2.0', status: 'CURRENT', links: [{ rel: 'self', href: 'http://127.0.0.1:9696/v2.0/' }] },
      ],
    });
    for (const url of ['/v2.0', '/v2.0/']) {
      const { body } = await client.call('GET', url);
      expect((body['resources'] as { collection: string }[]).map(({ collection }) => collection)).toContain(
        'ports',
      );
    }
  });

  it('and refusals are marked, each by a name of its own', async () => {
    const names = new Set<unknown>();
    for (const url of [
      '/v2.0/networks',
      '/v2.0/networks',
      '/v2.0/networks/x',
      '/v2.0/nonsense',
      '/v2.0/%zz',
    ]) {
      const { headers } = await client.api.app.inject({ url, headers: { host: '127.0.0.1' } });
      expect(headers['x-openstack-request-id']).toMatch(/^req-[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
      names.add(headers['x-openstack-request-id']);
    }
    expect(names.size).toBe(5);
  });

  it('name extensions, none that is half built', async () => {
    const { body } = await client.call('GET', '/v2.0/extensions');
    const aliases = (body['extensions'] as { alias: string }[]).map(({ alias }) => alias);
    expect(aliases).toContain('allowed-address-pairs');
    expect(aliases).not.toContain('trunk');
    const one = await client.call('GET', '/v2.0/extensions/port-security');
    expect(one.body).toMatchObject({ extension: { alias: 'port-security', name: 'Port Security' } });
    expectRefusal(await client.call('GET', '/v2.0/extensions/nonsense'), 404, 'HTTPNotFound');
  });
});

describe('requests that are wrong', () => {
  const bodies: readonly [string, unknown][] = [
    ['malformed JSON', '{"network": '],
    ['no JSON at all', 'hello'],
    ['a list', '[]'],
    ['null', 'null'],
    ['no wrapper', '{"name": "x"}'],
    ['a wrapped text', '{"network": "x"}'],
    ['an empty bulk', '{"networks": []}'],
    ['a bulk that is no list', '{"networks": {}}'],
    ['a bulk of texts', '{"networks": ["x"]}'],
    ['an attribute named __proto__', '{"network": {"__proto__": {"name": "x"}}}'],
    ['a value of great depth', `{"network": {"name": ${'['.repeat(50_000)}${']'.repeat(50_000)}}}`],
    ['an id', '{"network": {"id": "x"}}'],
    ['an owner that is no text', '{"network": {"project_id": 5}}'],
    ['an owner that no key can hold', '{"network": {"project_id": "a\\ud800"}}'],
  ];
  it.each(bodies)('%s: 400 and nothing changed', async (_, body) => {
    const before = await under.content();
    expectRefusal(await client.call('POST', '/v2.0/networks', body), 400, 'HTTPBadRequest');
    expect(await under.content()).toEqual(before);
  });

  it('nested without end are refused where anything may be nested', async () => {
    const network = await client.make('networks', {});
    const deep = `{"a": ${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
    const body = `{"port": {"network_id": "${String(network['id'])}", "binding:profile": ${deep}}}`;
    expectRefusal(await client.call('POST', '/v2.0/ports', body), 400, 'HTTPBadRequest');
  });

  it('need no declaration from programs', async () => {
    const response = await client.api.app.inject({
      method: 'POST',
      url: '/v2.0/networks',
      headers: { host: '127.0.0.1:9696' },
      payload: Buffer.from('{"network": {"name": "undeclared"}}'),
    });
    expect(response.statusCode).toBe(201);
  });

  it("are told so in Neutron's shape", async () => {
    expectRefusal(await client.call('GET', '/v2.0/nonsense'), 404, 'HTTPNotFound');
    expectRefusal(await client.call('PUT', '/v2.0/networks', { network: {} }), 405, 'HTTPMethodNotAllowed');
    expectRefusal(
      await client.call('POST', '/v2.0/networks/x', { network: {} }),
      405,
      'HTTPMethodNotAllowed',
    );
    expectRefusal(await client.call('DELETE', '/v2.0/networks/x', { network: {} }), 400, 'HTTPBadRequest');
    expectRefusal(await client.call('POST', '/v2.0/networks'), 400, 'HTTPBadRequest');
    const plain = { 'content-type': 'text/plain' };
    expectRefusal(
      await client.call('POST', '/v2.0/networks', '{"network": {}}', plain),
      415,
      'HTTPUnsupportedMediaType',
    );
    const page = { 'content-type': '', origin: 'http://page.example' };
    expectRefusal(
      await client.call('POST', '/v2.0/networks', '{"network": {}}', page),
      415,
      'HTTPUnsupportedMediaType',
    );
    expectRefusal(
      await client.call('POST', '/v2.0/networks', `"${'x'.repeat(9e6)}"`),
      413,
      'HTTPRequestEntityTooLarge',
    );
    expectRefusal(await client.call('GET', '/v2.0/networks/%ff'), 400, 'HTTPBadRequest');
  });

  it('tell nothing of the inside when we are at fault', async () => {
    const broken = await under.server({ metrics: () => Promise.reject(new Error('secret path')) });
    const reply = await broken.call('GET', '/metrics');
    expect(expectRefusal(reply, 500, 'HTTPInternalServerError')).not.toContain('secret');
    await under.store.close();
    const late = await client.call('POST', '/v2.0/networks', { network: {} });
    expectRefusal(late, 503, 'ServiceUnavailable');
  });
});

describe('the listener', () => {
  it('refuses addresses beyond loopback unless told otherwise', async () => {
    const open = { listen: { host: '0.0.0.0', port: 0 } };
    const refused = await under.server(open);
    await expect(refused.api.listen()).rejects.toMatchObject({ data: { code: 'RemoteWithoutAuth' } });
    const allowed = await under.server({ ...open, allowRemoteWithoutAuth: true });
    await allowed.api.listen();
    expect(allowed.api.address).toMatch(/^http:\/\/0\.0\.0\.0:\d+$/);
  });

  it('answers for no foreign host name', async () => {
    const get = (host: string) => client.call('GET', '/v2.0/networks', undefined, { host });
    expectRefusal(await get('rebound.example:9696'), 403, 'HTTPForbidden');
    for (const host of ['localhost:9696', '127.0.0.1', '[::1]:9696'])
      expect((await get(host)).status).toBe(200);
  });

  it('survives what is not HTTP', async () => {
    await client.api.listen();
    const { hostname, port } = new URL(client.api.address);
    const answer = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect(Number(port), hostname, () => socket.end('\u0000\u0001 nonsense\r\n\r\n'));
      socket.on('data', (data) => {
        text += data.toString();
      });
      socket.on('close', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400/);
    const response = await fetch(`${client.api.address}/healthz`);
    expect(await response.json()).toMatchObject({ status: 'ok' });
  });

  it('refuses a request that does not arrive in time, and ends its connection', async () => {
    const hasty = await under.server({ requestTimeout: 300 });
    await hasty.api.listen();
    const { hostname, port } = new URL(hasty.api.address);
    const head = 'POST /v2.0/networks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    const answer = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect(Number(port), hostname, () =>
        socket.write(`${head}Content-Length: 1000\r\n\r\n{"network":`),
      );
      // A byte now and then keeps the connection busy, but the body never ends.
      const drip = setInterval(() => socket.write(' '), 50);
      socket.on('data', (data) => {
        text += data.toString();
      });
      socket.on('error', () => undefined);
      socket.on('close', () => {
        clearInterval(drip);
        resolve(text);
      });
    });
    expect(answer).toMatch(/^HTTP\/1\.1 408/);
    expect(answer).toContain('HTTPRequestTimeout');
    expect((await hasty.call('GET', '/v2.0/networks')).body['networks']).toEqual([]);
  });

  it('ends in a few seconds, whoever stops in the midst of a request', async () => {
    await client.api.listen();
    const { hostname, port } = new URL(client.api.address);
    const head = 'POST /v2.0/networks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    const halves = ['GET /v2.0/netw', head, `${head}Content-Length: 1000\r\n\r\n{"network":`];
    const sockets = await Promise.all(
      halves.map(async (half) => {
        const socket = connect(Number(port), hostname).on('error', () => {});
        await new Promise((sent) => socket.write(half, sent));
        return socket;
      }),
    );
    try {
      // Served after them, so they have arrived.
      await fetch(`${client.api.address}/healthz`);
      await client.api.close();
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });
});
