import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  collectionOf,
  expectRefusal,
  type Json,
  nameOf,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { as, byName, type Person, people } from '../testing/people.ts';

let under: UnderTest;
let server: TestClient;
/** What the owner has, by path; each shared with the guests' project where that is possible. */
const things: Record<string, string> = {};
const by = (name: Person): TestClient => as(server.api, name);
const id = (value: Json): string => String(value['id']);

/** A request that makes one of these beside the owner's. */
const fresh: Record<string, () => Json> = {
  networks: () => ({ name: 'new' }),
  subnets: () => ({ network_id: things['networks'], ip_version: 4, cidr: `10.${count()}.0.0/24` }),
  ports: () => ({ network_id: things['networks'] }),
  'security-groups': () => ({ name: 'new' }),
  'security-group-rules': () => ({
    security_group_id: things['security-groups'],
    direction: 'ingress',
    protocol: 'tcp',
    port_range_min: count(),
    port_range_max: 4000,
  }),
  'address-groups': () => ({ name: 'new' }),
  'rbac-policies': () => ({
    object_type: 'network',
    object_id: things['networks'],
    action: 'access_as_shared',
    target_tenant: `someone${count()}`,
  }),
  'qos/policies': () => ({ name: 'new' }),
  subnetpools: () => ({ name: 'new', prefixes: ['10.0.0.0/8'] }),
  'address-scopes': () => ({ name: 'new', ip_version: 4 }),
};
let counted = 10;
const count = (): number => counted++;

beforeAll(async () => {
  under = await openUnderTest('memory');
  server = await under.server({ authenticator: byName });
  const admin = by('admin');
  for (const path of Object.keys(fresh)) {
    const own = { ...fresh[path]?.(), project_id: 'own' };
    things[path] = id(await admin.make(path, own));
  }
  const sharedTypes = [
    ['network', 'networks'],
    ['security_group', 'security-groups'],
    ['address_group', 'address-groups'],
    ['qos_policy', 'qos/policies'],
    ['subnetpool', 'subnetpools'],
    ['address_scope', 'address-scopes'],
  ] as const;
  for (const [type, path] of sharedTypes) {
    await admin.make('rbac-policies', {
      project_id: 'own',
      object_type: type,
      object_id: things[path],
      action: 'access_as_shared',
      target_tenant: 'shared',
    });
  }
});
afterAll(() => under.close());

/** Statuses of show, update or removal (whichever is refused; 200 where it is allowed), creation. */
type Expected = readonly [show: number, change: number, create: number];
const expected: Record<string, Record<Person, Expected>> = {
  networks: {
    admin: [200, 200, 201],
    service: [200, 403, 403],
    manager: [200, 200, 201],
    owner: [200, 200, 201],
    reader: [200, 403, 403],
    roleless: [404, 404, 403],
    stranger: [404, 404, 201],
    guest: [200, 403, 201],
    guestReader: [200, 403, 403],
  },
  subnets: {
    admin: [200, 200, 201],
    service: [200, 403, 403],
    manager: [200, 200, 201],
    owner: [200, 200, 201],
    reader: [200, 403, 403],
    roleless: [404, 404, 404],
    stranger: [404, 404, 404],
    guest: [200, 403, 403],
    guestReader: [200, 403, 403],
  },
  ports: {
    admin: [200, 200, 201],
    service: [200, 200, 201],
    manager: [200, 200, 201],
    owner: [200, 200, 201],
    reader: [200, 403, 403],
    roleless: [404, 404, 404],
    stranger: [404, 404, 404],
    guest: [404, 404, 201],
    guestReader: [404, 404, 403],
  },
  'security-groups': {
    admin: [200, 200, 201],
    service: [200, 403, 403],
    manager: [200, 200, 201],
    owner: [200, 200, 201],
    reader: [200, 403, 403],
    roleless: [404, 404, 403],
    stranger: [404, 404, 201],
    guest: [200, 403, 201],
    guestReader: [200, 403, 403],
  },
  'security-group-rules': {
    admin: [200, 200, 201],
    service: [200, 403, 403],
    manager: [200, 200, 201],
    owner: [200, 200, 201],
    reader: [200, 403, 403],
    roleless: [404, 404, 404],
    stranger: [404, 404, 404],
    guest: [404, 404, 403],
    guestReader: [404, 404, 403],
  },
  'address-groups': {
    admin: [200, 200, 201],
    service: [200, 403, 403],
    manager: [200, 200, 201],
    owner: [200, 200, 201],
    reader: [200, 403, 403],
    roleless: [404, 404, 403],
    stranger: [404, 404, 201],
    guest: [200, 403, 201],
    guestReader: [200, 403, 403],
  },
  subnetpools: {
    admin: [200, 200, 201],
    service: [404, 404, 403],
    manager: [200, 200, 201],
    owner: [200, 200, 201],
    reader: [200, 403, 403],
    roleless: [404, 404, 403],
    stranger: [404, 404, 201],
    guest: [200, 403, 201],
    guestReader: [200, 403, 403],
  },
  'address-scopes': {
    admin: [200, 200, 201],
    service: [404, 404, 403],
    manager: [200, 200, 201],
    owner: [200, 200, 201],
    reader: [200, 403, 403],
    roleless: [404, 404, 403],
    stranger: [404, 404, 201],
    guest: [200, 403, 201],
    guestReader: [200, 403, 403],
  },
  'rbac-policies': {
    admin: [200, 200, 201],
    service: [404, 404, 403],
    manager: [200, 200, 201],
    owner: [200, 200, 201],
    reader: [200, 403, 403],
    roleless: [404, 404, 403],
    // Of things that are not theirs.
    stranger: [404, 404, 400],
    guest: [404, 404, 400],
    guestReader: [404, 404, 403],
  },
  'qos/policies': {
    admin: [200, 200, 201],
    service: [200, 403, 403],
    manager: [200, 200, 201],
    owner: [200, 403, 403],
    reader: [200, 403, 403],
    roleless: [404, 404, 403],
    stranger: [404, 404, 403],
    guest: [200, 403, 403],
    guestReader: [200, 403, 403],
  },
};

const cases = Object.entries(expected).flatMap(([path, rows]) =>
  Object.entries(rows).map(([name, statuses]) => [path, name as Person, statuses] as const),
);

describe('what belongs to one project, shared with another', () => {
  it.each(cases)('%s as %s', async (path, name, [show, change, create]) => {
    const client = by(name);
    const url = `/v2.0/${path}/${things[path]}`;
    const shown = await client.call('GET', url);
    expect(shown.status, JSON.stringify(shown.body)).toBe(show);
    // What is not seen looks like what is not there.
    if (show === 404) {
      const absent = await client.call('GET', url.replace(/[^/]+$/, 'absent'));
      expect(JSON.stringify(shown.body)).toBe(
        JSON.stringify(absent.body).replaceAll('absent', things[path] ?? ''),
      );
    }
    const listed = (await client.list(path, 'fields=id')).map(id);
    expect(listed.includes(things[path] ?? ''), 'listed').toBe(show === 200);
    const before = await under.content();
    const body = path === 'rbac-policies' ? { target_tenant: `x${count()}` } : { name: `by ${name}` };
    const updates = path !== 'security-group-rules';
    if (updates) {
      const changed = await client.call('PUT', url, { [nameOf(path)]: body });
      // Guests do not learn that they may not update an address group.
      const concealed = path === 'address-groups' && people[name].project === 'shared';
      expect(changed.status, JSON.stringify(changed.body)).toBe(concealed ? 404 : change);
      if (concealed) {
        // An action has a name of its own to be refused by.
        const acted = await client.call('PUT', `${url}/add_addresses`, { addresses: ['10.9.0.0/16'] });
        expect(expectRefusal(acted, 403, 'PolicyNotAuthorized')).toContain('rule:add_addresses');
      }
    }
    if (change !== 200) {
      const removed = await client.call('DELETE', url);
      expect(removed.status, JSON.stringify(removed.body)).toBe(change);
      if (change === 403) expectRefusal(removed, 403, 'PolicyNotAuthorized');
      expect(withoutDefaults(await under.content())).toEqual(withoutDefaults(before));
    }
    const made = await client.call('POST', `/v2.0/${path}`, { [nameOf(path)]: fresh[path]?.() });
    expect(made.status, JSON.stringify(made.body)).toBe(create);
    if (create !== 201) return;
    const record = made.body[nameOf(path)] as Json;
    expect(record['project_id']).toBe(people[name].project);
    await client.remove(path, record['id']);
  });

  /** Lists of groups make the default group of who asks. */
  const withoutDefaults = (content: readonly (readonly [string, string])[]) =>
    content.filter(([key]) => !/^(groups|rules|default-groups|quota)/.test(key));

  it.each(Object.keys(fresh).filter((path) => path !== 'qos/policies'))(
    '%s are made for another project by administrators only',
    async (path) => {
      const body = { [nameOf(path)]: { ...fresh[path]?.(), project_id: 'elsewhere' } };
      for (const name of ['owner', 'reader', 'guest'] as const)
        expectRefusal(await by(name).call('POST', `/v2.0/${path}`, body), 400, 'HTTPBadRequest');
      // Services plug ports for others.
      const served = await by('service').call('POST', `/v2.0/${path}`, body);
      if (path === 'ports') expect(served.status).toBe(201);
      else expectRefusal(served, 403, 'PolicyNotAuthorized');
    },
  );

  it('is tagged by those who may change it, and a QoS policy by those who may use it', async () => {
    const tag = async (name: Person, path: string): Promise<number> => {
      const url = `/v2.0/${path}/${things[path]}/tags`;
      return (await by(name).call('PUT', url, { tags: ['blue'] })).status;
    };
    for (const path of ['networks', 'qos/policies']) {
      expect(await tag('owner', path)).toBe(200);
      expect(await tag('reader', path)).toBe(403);
      expect(await tag('guest', path)).toBe(path === 'networks' ? 403 : 200);
      expect(await tag('guestReader', path)).toBe(403);
      expect(await tag('stranger', path)).toBe(404);
    }
  });

  it('is listed for nobody else, however one asks', async () => {
    for (const path of Object.keys(fresh)) {
      const { body } = await by('stranger').call('GET', `/v2.0/${path}?project_id=own`);
      expect(body).toEqual({ [collectionOf(path)]: [] });
    }
  });

  it('tells each project for itself whether it is shared with it', async () => {
    for (const path of [
      'networks',
      'security-groups',
      'address-groups',
      'qos/policies',
      'subnetpools',
      'address-scopes',
    ]) {
      const shared = async (name: Person): Promise<unknown> =>
        (await by(name).show(path, things[path]))['shared'];
      // Twice, since what was shown is kept.
      for (const _ of [1, 2]) {
        expect(await shared('guest')).toBe(true);
        expect(await shared('owner')).toBe(false);
        expect(await shared('admin')).toBe(false);
      }
      const open = await by('guest').list(path, 'shared=true&fields=id');
      expect(open.map(id)).toContain(things[path]);
      expect((await by('owner').list(path, 'shared=true&fields=id')).map(id)).not.toContain(things[path]);
    }
  });
});

describe('what belongs to nobody', () => {
  it('is seen by all who may read anything and changed by administrators', async () => {
    const path = 'default-security-group-rules';
    const template = { direction: 'ingress', protocol: 'tcp' };
    const made = id(await by('admin').make(path, template));
    for (const name of Object.keys(people) as Person[]) {
      const client = by(name);
      const listed = (await client.list(path)).map(id);
      expect(listed.includes(made)).toBe(name !== 'roleless');
      if (name === 'admin') continue;
      const created = await client.call('POST', `/v2.0/${path}`, { [nameOf(path)]: template });
      expectRefusal(created, 403, 'PolicyNotAuthorized');
      const removed = await client.call('DELETE', `/v2.0/${path}/${made}`);
      if (name === 'roleless') expect(removed.status).toBe(404);
      else expectRefusal(removed, 403, 'PolicyNotAuthorized');
    }
    await by('admin').remove(path, made);
  });
});

describe('rules of QoS policies', () => {
  it('are seen with their policy and changed by administrators', async () => {
    const path = `qos/policies/${things['qos/policies']}/dscp_marking_rules`;
    const rule = await by('admin').make(path, { dscp_mark: 10 });
    const name = 'dscp_marking_rule';
    const status = async (who: Person, method: 'GET' | 'PUT' | 'POST' | 'DELETE', url: string) =>
      (
        await by(who).call(
          method,
          url,
          method === 'GET' || method === 'DELETE' ? undefined : { [name]: { dscp_mark: 12 } },
        )
      ).status;
    const alias = '/v2.0/qos/alias-dscp-marking-rules';
    for (const url of [`/v2.0/${path}/${id(rule)}`, `${alias}/${id(rule)}`]) {
      const of = (who: Person, method: 'GET' | 'DELETE') => status(who, method, url);
      expect(await of('owner', 'GET')).toBe(200);
      expect(await of('guest', 'GET')).toBe(200);
      expect(await of('stranger', 'GET')).toBe(404);
      expect(await of('owner', 'DELETE')).toBe(403);
      expect(await of('guest', 'DELETE')).toBe(403);
      expect(await of('stranger', 'DELETE')).toBe(404);
    }
    expect(await status('stranger', 'GET', `/v2.0/${path}`)).toBe(404);
    expect(await status('owner', 'PUT', `/v2.0/${path}/${id(rule)}`)).toBe(403);
    expect(await status('owner', 'POST', `/v2.0/${path}`)).toBe(403);
    expect(await status('stranger', 'POST', '/v2.0/qos/policies/absent/dscp_marking_rules')).toBe(403);
  });
});

describe('tags', () => {
  it('go by the rights on what they hang on', async () => {
    const url = `/v2.0/networks/${things['networks']}/tags/blue`;
    const put = async (name: Person) => (await by(name).call('PUT', url)).status;
    expect(await put('stranger')).toBe(404);
    expect(await put('guest')).toBe(403);
    expect(await put('reader')).toBe(403);
    expect(await put('owner')).toBe(201);
    expect((await by('guest').call('GET', url)).status).toBe(204);
    expect((await by('stranger').call('GET', url)).status).toBe(404);
  });
});
