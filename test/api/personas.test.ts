/** Every resource, verb and restricted attribute, requested by every persona, against Neutron's rules. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectionOf, expectRefusal, type Json, nameOf } from '../../src/api/testing/api-under-test.ts';
import { keys } from '../../src/model/keys.ts';
import { restricted, rules } from './persona-rules.ts';
import {
  admin,
  bodies,
  by,
  count,
  idOf,
  kinds,
  make,
  networkFacts,
  networks,
  openWorld,
  own,
  rulesOf,
  sharedTypes,
  unmake,
  type World,
} from './persona-world.ts';
import { type Facts, holds, type PersonaName, personaNames, personas, type Words } from './personas.ts';

let world: World;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world?.close());

const cases = kinds.flatMap((each) => personaNames.map((name) => [each.title, name, each] as const));

/** What those change who may, of what has no name. */
const changes: Readonly<Record<string, () => Json>> = {
  'rbac-policies': () => ({ target_tenant: `other${count()}` }),
  'security-groups-default-statefulness': () => ({ stateful: true }),
};

describe('what there is', () => {
  it.each(cases)('%s as %s', async (_, name, each) => {
    const { path, facts } = each;
    const rule = rulesOf(path);
    const client = by(name);
    const thing = await make(each);
    const url = `/v2.0/${path}/${idOf(thing)}`;
    try {
      const seen = holds(rule.read, name, facts);
      const shown = await client.call('GET', url);
      expect(shown.status, JSON.stringify(shown.body)).toBe(seen ? 200 : 404);
      const listed = await client.list(path);
      const found = listed.find((record) => record['id'] === thing['id']);
      expect(found !== undefined, 'listed').toBe(seen);
      for (const [attribute, words] of Object.entries(rule.hidden ?? {})) {
        if (!seen) break;
        const told = holds(words, name, facts);
        const record = shown.body[nameOf(path)] as Json;
        expect([attribute in record, attribute in (found ?? {})], attribute).toEqual([told, told]);
        const fields = await client.call('GET', `${url}?fields=id&fields=${attribute}`);
        expect(Object.hasOwn(fields.body[nameOf(path)] as Json, attribute), attribute).toBe(told);
      }
      const answers = (allowed: Words | undefined, good: number): number =>
        seen ? (holds(allowed ?? [], name, facts) ? good : 403) : 404;
      if (rule.update !== undefined) {
        const change = changes[path] ?? (() => ({ name: `by ${name}` }));
        const changed = await client.call('PUT', url, { [nameOf(path)]: change() });
        const { shared: _, ...unshared } = facts;
        const concealed = rule.concealed === true && !holds(rule.read, name, unshared);
        expect(changed.status, JSON.stringify(changed.body)).toBe(
          concealed ? 404 : answers(rule.update, 200),
        );
        if (shown.status === 404) expect(changed.body).toEqual(shown.body);
        if (changed.status === 403) expectRefusal(changed, 403, 'PolicyNotAuthorized');
      }
      const removed = await client.call('DELETE', url);
      expect(removed.status, JSON.stringify(removed.body)).toBe(answers(rule.delete, 204));
      if (removed.status === 404) expect(removed.body).toEqual(shown.body);
    } finally {
      await unmake(path, idOf(thing));
    }
  });
});

/** Where new things go, and what becomes true of one that the persona makes there. */
const places = Object.keys(rules).flatMap((path) => {
  const on =
    path === 'subnets' || path === 'ports' ? (['own', 'shared', 'external'] as const) : (['own'] as const);
  return on.map((place) => ({ path, on: place }));
});

function factsOfNew(path: string, on: keyof typeof networks, name: PersonaName): Facts {
  const { project } = personas[name];
  if (path === 'security-group-rules') return { project, above: 'own' };
  if (path !== 'subnets' && path !== 'ports') return { project };
  const { shared, project: above } = networkFacts[on];
  return { project, above, ...(shared === undefined ? {} : { shared }) };
}

/** The answer to a forbidden creation: 403 only where the caller sees the parent of the new thing. */
function refusal(path: string, on: keyof typeof networks, name: PersonaName): number {
  const place =
    path === 'subnets' || path === 'ports'
      ? holds(rulesOf('networks').read, name, networkFacts[on])
      : path !== 'security-group-rules' || holds(rulesOf('security-groups').read, name, own);
  return place ? 403 : 404;
}

describe('what is made', () => {
  const all = places.flatMap((place) => personaNames.map((name) => [place.path, place.on, name] as const));
  it.each(all)('%s (%s network) by %s', async (path, on, name) => {
    const allowed = holds(rulesOf(path).create ?? [], name, factsOfNew(path, on, name));
    const made = await by(name).call('POST', `/v2.0/${path}`, { [nameOf(path)]: bodies[path]?.(on) });
    const record = made.body[nameOf(path)] as Json | undefined;
    if (record !== undefined) await unmake(path, idOf(record));
    // Whose the object of a sharing is, is not the policy's matter.
    const foreign = path === 'rbac-policies' && allowed && !['own', 'cloud'].includes(personas[name].project);
    expect(made.status, JSON.stringify(made.body)).toBe(
      foreign ? 400 : allowed ? 201 : refusal(path, on, name),
    );
    if (allowed && record !== undefined && path !== 'default-security-group-rules')
      expect(record['project_id']).toBe(personas[name].project);
  });

  it.each(personaNames)('for another project by %s', async (name) => {
    for (const path of ['networks', 'security-groups', 'address-groups', 'routers']) {
      const body = { [nameOf(path)]: { ...bodies[path]?.('own'), project_id: 'another' } };
      const made = await by(name).call('POST', `/v2.0/${path}`, body);
      const record = made.body[nameOf(path)] as Json | undefined;
      if (record !== undefined) await unmake(path, idOf(record));
      // A service may name another project, but has no right to these anywhere.
      const expected = name === 'admin' ? 201 : name === 'service' ? 403 : 400;
      expect(made.status, JSON.stringify(made.body)).toBe(expected);
    }
    const port = { port: { ...bodies['ports']?.('shared'), project_id: 'another' } };
    const made = await by(name).call('POST', '/v2.0/ports', port);
    if (made.status === 201) await unmake('ports', idOf(made.body['port'] as Json));
    expect(made.status).toBe(name === 'admin' || name === 'service' ? 201 : 400);
  });

  const others = personaNames.filter((name) => !holds(['admin'], name, own));
  it.each(others)('together with what is forbidden is not made by %s', async (name) => {
    const before = (await world.under.content()).filter(
      ([key]) => !/^(groups|rules|default-groups|quota)/.test(key),
    );
    const forbidden: readonly (readonly [string, Json])[] = [
      ['networks', { shared: true }],
      ['ports', { network_id: networks.shared, 'binding:host_id': 'somewhere' }],
      ['subnets', { network_id: networks.external, ip_version: 4, cidr: '192.0.2.0/24' }],
      ['security-groups', { project_id: 'another', name: 'x' }],
    ];
    for (const [path, last] of forbidden) {
      if (path === 'ports' && name === 'service') continue;
      const good = { ...bodies[path]?.('shared') };
      const bulk = await by(name).call('POST', `/v2.0/${path}`, { [collectionOf(path)]: [good, good, last] });
      expect([400, 403, 404], JSON.stringify(bulk.body)).toContain(bulk.status);
    }
    const after = (await world.under.content()).filter(
      ([key]) => !/^(groups|rules|default-groups|quota)/.test(key),
    );
    expect(after).toEqual(before);
  });
});

const textOf = (sent: unknown): string => JSON.stringify(typeof sent === 'function' ? sent({}) : sent);

describe('attributes that ask for more', () => {
  const all = restricted.flatMap((each) =>
    personaNames.map((name) => [`${each.path} ${each.attribute} ${textOf(each.sent)}`, name, each] as const),
  );
  it.each(all)('%s by %s', async (_, name, { path, attribute, sent, create, update }) => {
    const rule = rulesOf(path);
    const on = path === 'subnets' || path === 'ports' ? 'shared' : 'own';
    const value = { [attribute]: typeof sent === 'function' ? sent(networks) : sent };
    if (create !== undefined) {
      const facts = factsOfNew(path, on, name);
      const allowed = holds(rule.create ?? [], name, facts) && holds(create, name, facts);
      const body = {
        ...bodies[path]?.(on),
        ...(attribute === 'port_security_enabled' && path === 'ports' ? { security_groups: [] } : {}),
      };
      const made = await by(name).call('POST', `/v2.0/${path}`, { [nameOf(path)]: { ...body, ...value } });
      const record = made.body[nameOf(path)] as Json | undefined;
      if (record !== undefined) await unmake(path, idOf(record));
      expect(made.status, JSON.stringify(made.body)).toBe(allowed ? 201 : refusal(path, on, name));
    }
    if (update === undefined) return;
    // What belongs to `own`, on a network of `net`.
    const facts: Facts = on === 'shared' ? { project: 'own', above: 'net', shared: ['own', 'guest'] } : own;
    const thing = await make({ title: '', path, on, facts: on === 'shared' ? facts : own });
    try {
      const more = attribute === 'port_security_enabled' && path === 'ports' ? { security_groups: [] } : {};
      const url = `/v2.0/${path}/${idOf(thing)}`;
      const changed = await by(name).call('PUT', url, { [nameOf(path)]: { ...more, ...value } });
      const allowed = holds(rule.update ?? [], name, facts) && holds(update, name, facts);
      const seen = holds(rule.read, name, facts);
      expect(changed.status, JSON.stringify(changed.body)).toBe(seen ? (allowed ? 200 : 403) : 404);
    } finally {
      await unmake(path, idOf(thing));
    }
  });
});

describe('what nobody owns', () => {
  const views: readonly (readonly [path: string, who: Words])[] = [
    ['agents', ['admin']],
    ['network-ip-availabilities', ['admin', 'service']],
    // Services have no reader's role, and Neutron would refuse them.
    ['availability_zones', ['admin', 'service', 'anybody']],
  ];
  it.each(views)('%s is seen by those whom it concerns', async (path, who) => {
    await world.under.store.txn(
      [],
      [{ op: 'put', key: keys.host('h'), value: JSON.stringify({ name: 'h' }) }],
    );
    await expect.poll(() => admin().list(path)).not.toEqual([]);
    for (const name of personaNames) {
      const seen = holds(who, name, { project: '' });
      expect((await by(name).list(path)).length > 0, name).toBe(seen);
    }
  });

  it('quotas are seen by their project and set by administrators', async () => {
    for (const name of personaNames) {
      const call = async (method: 'GET' | 'PUT' | 'DELETE', project: string, rest = ''): Promise<number> =>
        (
          await by(name).call(
            method,
            `/v2.0/quotas/${project}${rest}`,
            method === 'PUT' ? { quota: { port: 7 } } : undefined,
          )
        ).status;
      const [mine, all] = [personas[name].project, holds(['admin'], name, own)];
      for (const rest of ['', '/default', '/details']) {
        expect(await call('GET', mine, rest), name).toBe(200);
        expect(await call('GET', 'another', rest), name).toBe(all ? 200 : 403);
      }
      expect((await by(name).call('GET', '/v2.0/quotas')).status).toBe(all ? 200 : 403);
      for (const project of [mine, 'another']) {
        expect(await call('PUT', project), name).toBe(all ? 200 : 403);
        expect(await call('DELETE', project), name).toBe(all ? 204 : 403);
      }
    }
  });
});

describe('what is hidden', () => {
  it('is not found out by asking for it', async () => {
    const make = (host: string): Promise<Json> =>
      admin().make('ports', { ...bodies['ports']?.('own'), project_id: 'own', 'binding:host_id': host });
    const ports = [await make('aa'), await make('bb')];
    const asked = async (name: PersonaName, query: string): Promise<string> => {
      const { status, body } = await by(name).call('GET', `/v2.0/ports?network_id=${networks.own}&${query}`);
      return status === 200 ? (body['ports'] as Json[]).map(idOf).join() : String(status);
    };
    for (const name of ['own member', 'own reader'] as const) {
      const [one, other] = [await asked(name, 'binding:host_id=aa'), await asked(name, 'binding:host_id=bb')];
      expect(one).toBe(other);
      const up = await asked(name, 'sort_key=binding:host_id&sort_dir=asc');
      expect(up).toBe(
        await asked(name, 'sort_key=binding:host_id&sort_dir=desc').then((down) =>
          down === '400' ? down : up,
        ),
      );
    }
    expect(await asked('service', 'binding:host_id=aa')).toBe(idOf(ports[0] ?? {}));
    for (const port of ports) await unmake('ports', idOf(port));
  });
});

describe('sharing', () => {
  it.each(Object.keys(sharedTypes))('of %s lets in whom it names, for as long as it stands', async (path) => {
    const thing = await admin().make(path, { ...bodies[path]?.('own'), project_id: 'own' });
    const url = `/v2.0/${path}/${idOf(thing)}`;
    const seenBy = async (...names: PersonaName[]): Promise<boolean[]> =>
      Promise.all(names.map(async (name) => (await by(name).call('GET', url)).status === 200));
    expect(await seenBy('own reader', 'guest reader', 'foreign reader')).toEqual([true, false, false]);
    const policy = await by('own member').make('rbac-policies', {
      object_type: sharedTypes[path],
      object_id: thing['id'],
      action: 'access_as_shared',
      target_tenant: 'guest',
    });
    expect(await seenBy('own reader', 'guest reader', 'foreign reader')).toEqual([true, true, false]);
    // Whom it is shared with does not get to know how, nor share it on.
    expect((await by('guest member').call('GET', `/v2.0/rbac-policies/${idOf(policy)}`)).status).toBe(404);
    const on = {
      object_type: sharedTypes[path],
      object_id: thing['id'],
      action: 'access_as_shared',
      target_tenant: 'foreign',
    };
    const passed = await by('guest member').call('POST', '/v2.0/rbac-policies', { rbac_policy: on });
    expect([400, 403, 404]).toContain(passed.status);
    await by('own member').change('rbac-policies', policy['id'], { target_tenant: 'foreign' });
    expect(await seenBy('own reader', 'guest reader', 'foreign reader')).toEqual([true, false, true]);
    await by('own member').remove('rbac-policies', policy['id']);
    expect(await seenBy('own reader', 'guest reader', 'foreign reader')).toEqual([true, false, false]);
    await unmake(path, idOf(thing));
  });
});

it('no resource is forgotten here', async () => {
  const { body } = await admin().call('GET', '/v2.0');
  const collections = (body['resources'] as Json[]).map(({ collection }) => collection);
  // What hosts say, judged beside its own tests.
  const views = ['agents', 'availability_zones', 'network_ip_availabilities'];
  const judged = Object.keys(rules).map(collectionOf);
  expect(collections.filter((name) => !views.includes(String(name))).toSorted()).toEqual(judged.toSorted());
});
