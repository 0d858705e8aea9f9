import { afterEach, describe, expect, it } from 'vitest';
import { contractOf, openUnderTest, type TestClient, type UnderTest } from '../testing/api-under-test.ts';
import { byName } from '../testing/people.ts';
import { undocumented } from './routes.ts';

type Json = Readonly<Record<string, unknown>>;
interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly schema: Json & { readonly items?: Json };
}
interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly responses: Json;
  readonly security?: readonly Json[];
}

let under: UnderTest | null = null;

afterEach(async () => {
  await under?.close();
  under = null;
});

async function start(options: Parameters<UnderTest['server']>[0] = {}): Promise<TestClient> {
  under = await openUnderTest('memory');
  return under.server({ metrics: async () => '', ...options });
}

async function documentOf(client: TestClient): Promise<Json> {
  const { document } = await contractOf(client.api);
  return document;
}

const operationsIn = (document: Json): readonly (readonly [string, string, Operation])[] =>
  Object.entries(document['paths'] as Record<string, Record<string, Operation>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [path, method, operation] as const),
  );

/** Every object in the document, with where it is. */
function* objectsIn(value: unknown, at = '#'): Iterable<readonly [string, Json]> {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* objectsIn(item, `${at}/${index}`);
  } else if (typeof value === 'object' && value !== null) {
    yield [at, value as Json];
    for (const [key, part] of Object.entries(value)) yield* objectsIn(part, `${at}/${key}`);
  }
}

describe('the document', () => {
  it('has every route that does anything', async () => {
    const client = await start();
    expect(undocumented(client.api.app)).toEqual([]);
    const operations = operationsIn(await documentOf(client));
    expect(operations.length).toBeGreaterThan(100);
    for (const [path, method] of operations)
      expect(
        client.api.app.hasRoute({ method: method.toUpperCase(), url: path.replaceAll(/\{(\w+)\}/g, ':$1') }),
        `${method} ${path}`,
      ).toBe(true);
  });

  it('holds together: references lead somewhere, names are used once, parts of paths are told', async () => {
    const document = await documentOf(await start());
    const at = (ref: string): unknown =>
      ref
        .slice(2)
        .split('/')
        .reduce<unknown>((place, part) => (place as Json | undefined)?.[part], document);
    for (const [where, { $ref: ref }] of objectsIn(document))
      if (typeof ref === 'string') expect(at(ref), `${where}: ${ref}`).toBeDefined();
    const operations = operationsIn(document);
    const ids = operations.map(([, , { operationId }]) => operationId);
    expect(ids.filter((id, place) => ids.indexOf(id) !== place)).toEqual([]);
    for (const [path, , { parameters = [] }] of operations) {
      const named = parameters.filter((one) => one.in === 'path').map(({ name }) => name);
      expect(named, path).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
      const all = parameters.map((one) => `${one.in} ${one.name}`);
      expect(new Set(all).size, path).toBe(all.length);
    }
  });

  it('tells the type and the meaning of every attribute', async () => {
    const { components } = (await documentOf(await start())) as {
      components: { schemas: Record<string, { properties?: Record<string, Json> }> };
    };
    const { schemas } = components;
    const shown = Object.keys(schemas).filter((name) => Object.hasOwn(schemas, `${name}_whole`));
    expect(shown).toContain('port');
    const lacking = Object.entries(schemas).flatMap(([name, { properties = {} }]) =>
      shown.some((one) => name === one || name === `${one}_create` || name === `${one}_update`)
        ? Object.entries(properties).flatMap(([attribute, { description, ...rest }]) =>
            typeof description === 'string' && Object.keys(rest).length > 0 ? [] : [`${name}.${attribute}`],
          )
        : [],
    );
    expect(lacking).toEqual([]);
  });

  it('is for everybody, and asks for tokens where they are needed', async () => {
    const open = await documentOf(await start());
    expect(open['security']).toBeUndefined();
    await under?.close();
    const client = await start({ authenticator: byName });
    expect((await client.call('GET', '/openapi.json')).status).toBe(200);
    expect((await client.call('GET', '/v2.0/networks')).status).toBe(401);
    const closed = await documentOf(client);
    expect(closed['security']).toEqual([{ token: [] }]);
    const free = operationsIn(closed).flatMap(([path, , { security }]) =>
      security !== undefined && security.length === 0 ? [path] : [],
    );
    expect(free.sort()).toEqual(['/', '/healthz', '/metrics', '/openapi.json']);
  });
});

const examples: Readonly<Record<string, string>> = {
  uuid: '6ba7b811-9dad-41d1-80b4-00c04fd430c8',
  'date-time': '2026-01-01T00:00:00Z',
  ip: '192.0.2.1',
  cidr: '192.0.2.0/24',
  'ip-or-cidr': '192.0.2.1',
  mac: '02:00:00:00:00:01',
};

/** A value that a parameter may have. */
function exampleOf({ schema }: Parameter): string {
  const value = schema.items ?? schema;
  const choices = value['anyOf'];
  const { type, pattern, enum: values, format } = (Array.isArray(choices) ? choices[0] : value) as Json;
  if (Array.isArray(values)) return String(values[0]);
  if (typeof format === 'string') return examples[format] ?? '';
  if (typeof pattern === 'string') {
    const key = /\((\w+)/.exec(pattern)?.[1] ?? '';
    return key === '' ? 'a' : `${key}=${key === 'mac_address' ? examples['mac'] : examples['ip']}`;
  }
  const types: readonly unknown[] = Array.isArray(type) ? type : [type];
  if (types.includes('boolean')) return 'true';
  return types.includes('integer') || types.includes('number') ? '1' : 'a';
}

describe('the parameters of lists', () => {
  it('are taken, each by itself, and no others', async () => {
    const client = await start();
    const { id: policy } = await client.make('qos/policies', { name: 'gold' });
    const net = await client.make('networks', {});
    const { id: port } = await client.make('ports', { network_id: net['id'], device_owner: 'compute:nova' });
    const lists = operationsIn(await documentOf(client)).filter(
      ([, method, { operationId }]) => method === 'get' && operationId.startsWith('list_'),
    );
    expect(lists.length).toBeGreaterThan(10);
    for (const [path, , { parameters = [] }] of lists) {
      const url = path.replace('{policy}', String(policy)).replace('{port}', String(port));
      for (const parameter of parameters.filter((one) => one.in === 'query')) {
        // Keys and directions come in pairs.
        const other = { sort_dir: 'sort_key', sort_key: 'sort_dir' }[parameter.name];
        const partner = parameters.find(({ name }) => name === other);
        const pair = partner === undefined ? '' : `${partner.name}=${exampleOf(partner)}&`;
        const query = `${pair}${encodeURIComponent(parameter.name)}=${encodeURIComponent(exampleOf(parameter))}`;
        const { status, body } = await client.call('GET', `${url}?${query}`);
        expect(status, `${url}?${query}: ${JSON.stringify(body)}`).toBe(200);
      }
      for (const name of ['bogus', 'sort_keys', 'status_in']) {
        expect((await client.call('GET', `${url}?${name}=1`)).status, `${url}?${name}`).toBe(400);
      }
    }
  });

  it('order by every attribute that is told, and by no other', async () => {
    const client = await start();
    for (const [path, , { parameters = [] }] of operationsIn(await documentOf(client))) {
      const keys = parameters.find(({ name }) => name === 'sort_key')?.schema.items?.['enum'];
      const fields = parameters.find(({ name }) => name === 'fields')?.schema.items?.['enum'];
      if (!Array.isArray(keys) || !Array.isArray(fields) || path.includes('{')) continue;
      for (const field of fields) {
        const { status } = await client.call('GET', `${path}?sort_dir=asc&sort_key=${String(field)}`);
        expect({ path, field, status }).toEqual({ path, field, status: keys.includes(field) ? 200 : 400 });
      }
    }
  });
});
