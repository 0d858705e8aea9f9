/** What a persona may take from others, do to things beside changing them, and hang on them: uses, actions, tags, bindings. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectRefusal, type Json, nameOf } from '../../src/api/testing/api-under-test.ts';
import {
  admin,
  bodies,
  by,
  count,
  idOf,
  type Kind,
  kinds,
  make,
  networks,
  openWorld,
  own,
  rulesOf,
  share,
  unmake,
  type World,
} from './persona-world.ts';
import { holds, type PersonaName, personaNames, personas } from './personas.ts';

let world: World;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world?.close());

/** Ways to name a thing of another's in a thing of one's own, made by who has a place for it. */
interface Use {
  readonly path: string;
  /** Who names it: members each with what is theirs. */
  readonly body: (id: string, mine: { readonly network: string; readonly group: string }) => Json;
  readonly refused: number;
}
const rule = { direction: 'ingress', protocol: 'tcp' };
const uses: Readonly<Record<string, readonly Use[]>> = {
  networks: [
    { path: 'ports', body: (id) => ({ network_id: id }), refused: 404 },
    { path: 'rbac-policies', body: (id) => sharing('network', id), refused: 400 },
  ],
  'security-groups': [
    {
      path: 'ports',
      body: (id, { network }) => ({ network_id: network, security_groups: [id] }),
      refused: 404,
    },
    {
      path: 'security-group-rules',
      body: (id, { group }) => ({ ...rule, security_group_id: group, remote_group_id: id }),
      refused: 404,
    },
    { path: 'security-group-rules', body: (id) => ({ ...rule, security_group_id: id }), refused: 404 },
  ],
  'address-groups': [
    {
      path: 'security-group-rules',
      body: (id, { group }) => ({ ...rule, security_group_id: group, remote_address_group_id: id }),
      refused: 404,
    },
  ],
  'qos/policies': [
    { path: 'ports', body: (id, { network }) => ({ network_id: network, qos_policy_id: id }), refused: 404 },
    { path: 'networks', body: (id) => ({ qos_policy_id: id }), refused: 404 },
  ],
  subnetpools: [
    {
      path: 'subnets',
      body: (id, { network }) => ({ network_id: network, ip_version: 4, subnetpool_id: id, prefixlen: 28 }),
      refused: 404,
    },
  ],
};
function sharing(type: string, id: string): Json {
  return { object_type: type, object_id: id, action: 'access_as_shared', target_tenant: `some${count()}` };
}

const useCases = Object.entries(uses).flatMap(([path, each]) =>
  each.map((use, at) => [`${path} ${at} in ${use.path}`, path, use] as const),
);

describe('what is taken', () => {
  it.each(useCases)(
    '%s: by those with whom it is shared, nobody else',
    async (_, path, { path: into, body, refused }) => {
      const thing = await admin().make(path, { ...bodies[path]?.('own'), project_id: 'own' });
      const take = async (name: PersonaName): Promise<number> => {
        const project_id = personas[name].project;
        const network = await admin().make('networks', { project_id });
        const group = await admin().make('security-groups', { project_id, name: 'mine' });
        const mine = { network: idOf(network), group: idOf(group) };
        const made = await by(name).call('POST', `/v2.0/${into}`, {
          [nameOf(into)]: body(idOf(thing), mine),
        });
        const record = made.body[nameOf(into)] as Json | undefined;
        if (record !== undefined) await unmake(into, idOf(record));
        for (const [where, one] of [
          ['networks', network],
          ['security-groups', group],
        ] as const)
          await unmake(where, idOf(one));
        // No word that would tell it from what is not there.
        if (made.status === refused) expect(JSON.stringify(made.body)).not.toContain('"own"');
        return made.status;
      };
      expect(await take('own member')).toBe(201);
      expect([await take('guest member'), await take('foreign member')]).toEqual([refused, refused]);
      const policy = await share(path, idOf(thing), 'guest', 'own');
      // Sharing is for use: what is the owner's to change stays so.
      const changing =
        into === 'rbac-policies' ||
        (path === 'security-groups' && body('x', { network: '', group: '' })['security_group_id'] === 'x');
      const guest = await take('guest member');
      if (changing) expect([400, 403, 404]).toContain(guest);
      else expect(guest).toBe(201);
      expect(await take('foreign member')).toBe(refused);
      await unmake('rbac-policies', idOf(policy));
      expect(await take('guest member')).toBe(refused);
      await unmake(path, idOf(thing));
    },
  );
});

/** `PUT …/{id}/{name}` of things that Neutron asks the rule of an update about. */
const actions: readonly (readonly [path: string, action: string, body: () => Json])[] = [
  ['address-groups', 'add_addresses', () => ({ addresses: ['192.0.2.1/32'] })],
  ['address-groups', 'remove_addresses', () => ({ addresses: ['192.0.2.99/32'] })],
  ['subnetpools', 'add_prefixes', () => ({ prefixes: [`172.16.${count() % 250}.0/24`] })],
  ['routers', 'add_extraroutes', () => ({ router: { routes: [] } })],
];

const actionCases = actions.flatMap((each) =>
  kinds
    .filter((kind) => kind.path === each[0])
    .flatMap((kind) => personaNames.map((name) => [kind.title, each[1], name, kind, each[2]] as const)),
);

describe('what is done', () => {
  it.each(actionCases)('to %s, %s, by %s', async (_, action, name, kind, body) => {
    const { path, facts } = kind;
    const thing = await make(kind);
    const url = `/v2.0/${path}/${idOf(thing)}/${action}`;
    const wrapped =
      path === 'routers' ? body() : path === 'address-groups' ? { [nameOf(path)]: body() } : body();
    const reply = await by(name).call('PUT', url, wrapped);
    const rules = rulesOf(path);
    const hides = !holds(rules.read, name, facts);
    // Taking away what is not there is found out only by who may take something away.
    const good = action === 'remove_addresses' ? 404 : 200;
    const expected = hides ? 404 : holds(rules.update ?? [], name, facts) ? good : 403;
    expect(reply.status, JSON.stringify(reply.body)).toBe(expected);
    await unmake(path, idOf(thing));
  });

  /** Neutron asks of tags what it asks of an update, but for policies, which who uses them may tag. */
  const tagged: readonly Kind[] = kinds.filter(({ path }) =>
    ['networks', 'subnets', 'ports', 'security-groups', 'subnetpools', 'routers'].includes(path),
  );
  it.each(tagged.flatMap((kind) => personaNames.map((name) => [kind.title, name, kind] as const)))(
    'with tags of %s by %s',
    async (_, name, kind) => {
      const { path, facts } = kind;
      const thing = await make(kind);
      const url = `/v2.0/${path}/${idOf(thing)}/tags`;
      const rules = rulesOf(path);
      const seen = holds(rules.read, name, facts);
      const may = holds(rules.update ?? [], name, facts);
      const expectedOf = (good: number): number => (seen ? (may ? good : 403) : 404);
      expect((await by(name).call('GET', url)).status).toBe(seen ? 200 : 404);
      expect((await by(name).call('PUT', url, { tags: ['a', 'b'] })).status).toBe(expectedOf(200));
      expect((await by(name).call('PUT', `${url}/c`)).status).toBe(expectedOf(201));
      await admin().call('PUT', `${url}/d`);
      expect((await by(name).call('DELETE', `${url}/d`)).status).toBe(expectedOf(204));
      expect((await by(name).call('DELETE', url)).status).toBe(expectedOf(204));
      await unmake(path, idOf(thing));
    },
  );

  it.each(personaNames)('with bindings of a port by %s', async (name) => {
    const facts = { ...own, above: 'own' };
    const port = await admin().make('ports', {
      network_id: networks.own,
      project_id: 'own',
      'binding:host_id': 'here',
      device_owner: 'compute:nova',
      device_id: '7d7b6a44-63a5-4b8a-9a6a-0b7c5f1e2d3c',
    });
    const url = `/v2.0/ports/${idOf(port)}/bindings`;
    const seen = holds(rulesOf('ports').read, name, facts);
    const may = holds(['admin', 'service'], name, facts);
    for (const [method, path, body] of [
      ['GET', '', undefined],
      ['POST', '', { binding: { host: 'there' } }],
      ['GET', '/there', undefined],
      ['DELETE', '/there', undefined],
    ] as const) {
      const reply = await by(name).call(method, `${url}${path}`, body);
      if (!may && seen) expectRefusal(reply, 403, 'PolicyNotAuthorized');
      else if (!seen) expectRefusal(reply, 404, 'PortNotFound');
      else expect(reply.status, JSON.stringify(reply.body)).toBeLessThan(300);
    }
    await unmake('ports', idOf(port));
  });
});
