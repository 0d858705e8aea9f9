import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../store/contract.ts';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { as, byName, type Person } from '../testing/people.ts';

let under: UnderTest;
let server: TestClient;
let network: string;
let subnet: string;
const by = (name: Person, of: TestClient = server): TestClient => as(of.api, name);
const id = (value: Json): string => String(value['id']);

const share = (object: string, type = 'network'): Promise<Json> =>
  by('owner').make('rbac-policies', {
    object_type: type,
    object_id: object,
    action: 'access_as_shared',
    target_tenant: 'shared',
  });

beforeEach(async () => {
  under = await openUnderTest('memory');
  server = await under.server({ authenticator: byName });
  network = id(await by('owner').make('networks', {}));
  subnet = id(await by('owner').make('subnets', { network_id: network, ip_version: 4, cidr: '10.0.0.0/24' }));
  await share(network);
});
afterEach(() => under.close());

const post = (name: Person, attributes: Json) =>
  by(name).call('POST', '/v2.0/ports', { port: { network_id: network, ...attributes } });
const put = (name: Person, port: string, attributes: Json) =>
  by(name).call('PUT', `/v2.0/ports/${port}`, { port: attributes });

/** May set it: the network's owner, a guest of the network on an own port, service, at creation and later. */
type May = readonly [create: string, update: string];
const attributes: readonly [string, Json, May][] = [
  ['a name', { name: 'x' }, ['owner guest service', 'owner guest service']],
  ['a MAC', { mac_address: '02:00:00:00:00:01' }, ['owner service', 'service']],
  ['an address', { fixed_ips: [{ ip_address: '10.0.0.9' }] }, ['owner service', 'owner service']],
  ['a subnet', { fixed_ips: [{ subnet_id: '' }] }, ['owner guest service', 'owner service']],
  ['no address', { fixed_ips: [] }, ['owner guest service', 'owner service']],
  ['pairs', { allowed_address_pairs: [{ ip_address: '10.0.0.7' }] }, ['owner service', 'owner service']],
  [
    'no port security',
    { port_security_enabled: false, security_groups: [] },
    ['owner service', 'owner service'],
  ],
  ['a port security mode', { port_security_mode: 'mac-only' }, ['owner service', 'owner service']],
  ['trust as a DHCP server', { dhcp_trusted: true }, ['owner service', 'owner service']],
  ['a host', { 'binding:host_id': 'h1' }, ['service', 'service']],
  ['a binding profile', { 'binding:profile': { a: 1 } }, ['service', 'service']],
  ['a vnic type', { 'binding:vnic_type': 'direct' }, ['owner guest service', 'owner guest service']],
  ['a tenant device', { device_owner: 'compute:nova' }, ['owner guest service', 'owner guest service']],
];

describe('what a port may be given', () => {
  it.each(attributes)('%s', async (_, given, [create, update]) => {
    const sent = JSON.parse(
      JSON.stringify(given).replace('"subnet_id":""', `"subnet_id":"${subnet}"`),
    ) as Json;
    for (const name of ['owner', 'guest', 'service', 'admin'] as const) {
      const may = (who: string): boolean => name === 'admin' || who.split(' ').includes(name);
      const made = await post(name, sent);
      expect(made.status, `${name} creates: ${JSON.stringify(made.body)}`).toBe(may(create) ? 201 : 403);
      if (made.status === 201) await by('admin').remove('ports', (made.body['port'] as Json)['id']);
      const port = id((await post(name, {})).body['port'] as Json);
      const changed = await put(name, port, sent);
      expect(changed.status, `${name} updates: ${JSON.stringify(changed.body)}`).toBe(
        may(update) ? 200 : 403,
      );
      await by('admin').remove('ports', port);
    }
  });

  it('an owner that is never filtered, by the owner of the network only', async () => {
    const sent = { device_owner: 'network:dhcp' };
    for (const name of ['owner', 'service', 'admin'] as const)
      expect((await post(name, sent)).status).toBe(201);
    expectRefusal(await post('guest', sent), 403, 'PolicyNotAuthorized');
    const port = id(await by('guest').make('ports', { network_id: network }));
    expectRefusal(await put('guest', port, sent), 403, 'PolicyNotAuthorized');
  });

  it('nothing that would be so anyway is asked about', async () => {
    const silent = {
      allowed_address_pairs: [],
      'binding:host_id': '',
      'binding:profile': {},
      device_owner: '',
    };
    expect((await post('guest', silent)).status).toBe(201);
    expect((await by('owner').call('POST', '/v2.0/networks', { network: { shared: false } })).status).toBe(
      201,
    );
    expectRefusal(
      await by('owner').call('POST', '/v2.0/networks', { network: { shared: true } }),
      403,
      'PolicyNotAuthorized',
    );
  });

  it("is refused with the rules that it falls under, in Neutron's words", async () => {
    const refused = await post('guest', {
      mac_address: '02:00:00:00:00:01',
      fixed_ips: [{ ip_address: '10.0.0.9', subnet_id: subnet }],
    });
    expect(expectRefusal(refused, 403, 'PolicyNotAuthorized')).toBe(
      '((rule:create_port and rule:create_port:mac_address) and (rule:create_port:fixed_ips and ' +
        '(rule:create_port:fixed_ips:ip_address and rule:create_port:fixed_ips:subnet_id))) is disallowed by policy',
    );
    const network1 = await by('reader').call('PUT', `/v2.0/networks/${network}`, {
      network: { shared: true },
    });
    expect(expectRefusal(network1, 403, 'PolicyNotAuthorized')).toBe(
      '(rule:update_network and rule:update_network:shared) is disallowed by policy',
    );
  });

  it('in a bulk is all of it or nothing', async () => {
    const ports = [{ network_id: network }, { network_id: network, mac_address: '02:00:00:00:00:01' }];
    expectRefusal(await by('guest').call('POST', '/v2.0/ports', { ports }), 403, 'PolicyNotAuthorized');
    expect(await by('admin').list('ports')).toEqual([]);
  });

  it('is not what lies with everybody: a policy for all is for administrators', async () => {
    const body = {
      object_type: 'network',
      object_id: network,
      action: 'access_as_shared',
      target_tenant: '*',
    };
    const refused = await by('owner').call('POST', '/v2.0/rbac-policies', { rbac_policy: body });
    expect(expectRefusal(refused, 403, 'PolicyNotAuthorized')).toContain('create_rbac_policy:target_tenant');
    await by('admin').make('rbac-policies', body);
    expect((await by('stranger').call('GET', `/v2.0/networks/${network}`)).status).toBe(200);
    expect((await post('stranger', {})).status).toBe(201);
  });
});

describe('a port on a foreign network', () => {
  it("is seen and may be removed by the network's owner, who may not change it", async () => {
    const port = id(await by('guest').make('ports', { network_id: network }));
    expect((await by('owner').show('ports', port))['project_id']).toBe('shared');
    expect((await by('owner').list('ports')).map(id)).toContain(port);
    expectRefusal(await put('owner', port, { name: 'mine' }), 403, 'PolicyNotAuthorized');
    expect((await by('reader').call('DELETE', `/v2.0/ports/${port}`)).status).toBe(403);
    await by('owner').remove('ports', port);
  });

  it('does not see the other ports there', async () => {
    const port = id(await by('owner').make('ports', { network_id: network }));
    expect((await by('guest').call('GET', `/v2.0/ports/${port}`)).status).toBe(404);
    expect(await by('guest').list('ports', `network_id=${network}`)).toEqual([]);
  });
});

describe('how a port is bound', () => {
  const hidden = ['binding:host_id', 'binding:vif_type', 'binding:vif_details', 'binding:profile'];

  it('is told to the cloud only, however one asks, and whoever asked before', async () => {
    const port = id(
      (await post('admin', { 'binding:host_id': 'h1', project_id: 'own', name: 'p' })).body['port'] as Json,
    );
    for (const name of ['admin', 'owner', 'service', 'reader', 'owner', 'admin'] as const) {
      const client = by(name);
      const cloud = name === 'admin' || name === 'service';
      for (const shown of [
        await client.show('ports', port),
        (await client.list('ports', 'name=p'))[0] ?? {},
        (await client.list('ports', `${hidden.map((one) => `fields=${one}`).join('&')}&fields=id`))[0] ?? {},
      ]) {
        expect(shown['id']).toBe(port);
        for (const attribute of hidden) expect(Object.hasOwn(shown, attribute), attribute).toBe(cloud);
      }
      expect(await client.list('ports', 'binding:host_id=h1')).toHaveLength(cloud ? 1 : 0);
    }
    const changed = await by('owner').change('ports', port, { name: 'q' });
    for (const attribute of hidden) expect(changed).not.toHaveProperty([attribute]);
    expect(changed).toHaveProperty(['binding:vnic_type']);
  });
});

describe('what is referred to', () => {
  it('must be seen: groups, networks, QoS policies, address groups', async () => {
    const foreign = by('stranger');
    const group = id(await by('owner').make('security-groups', { name: 'g' }));
    const addresses = id(await by('owner').make('address-groups', { name: 'a' }));
    const policy = id(await by('admin').make('qos/policies', { name: 'q', project_id: 'own' }));
    const own = id(await foreign.make('networks', {}));
    const ownGroup = id(await foreign.make('security-groups', { name: 'mine' }));
    const rule = { security_group_id: ownGroup, direction: 'ingress' };
    const asks = (client: TestClient): Promise<{ status: number; body: Json }>[] => [
      client.call('POST', '/v2.0/ports', { port: { network_id: own, security_groups: [group] } }),
      client.call('POST', '/v2.0/ports', { port: { network_id: own, qos_policy_id: policy } }),
      client.call('POST', '/v2.0/networks', { network: { qos_policy_id: policy } }),
      client.call('PUT', `/v2.0/networks/${own}`, { network: { qos_policy_id: policy } }),
      client.call('POST', '/v2.0/ports', { port: { network_id: network } }),
      client.call('POST', '/v2.0/security-group-rules', {
        security_group_rule: { ...rule, remote_group_id: group },
      }),
      client.call('POST', '/v2.0/security-group-rules', {
        security_group_rule: { ...rule, remote_address_group_id: addresses },
      }),
    ];
    const types = [
      'SecurityGroup',
      'QosPolicy',
      'QosPolicy',
      'QosPolicy',
      'Network',
      'SecurityGroup',
      'AddressGroup',
    ];
    for (const [at, answer] of (await Promise.all(asks(foreign))).entries())
      expectRefusal(answer, 404, `${types[at]}NotFound`);
    for (const [type, object] of [
      ['network', network],
      ['security_group', group],
      ['address_group', addresses],
      ['qos_policy', policy],
    ])
      await by('admin').make('rbac-policies', {
        object_type: type,
        object_id: object,
        action: 'access_as_shared',
        target_tenant: 'foreign',
      });
    for (const answer of await Promise.all(asks(foreign)))
      expect([200, 201], JSON.stringify(answer.body)).toContain(answer.status);
  });

  it('must be seen: a subnet of a network that is not is told from none by nobody', async () => {
    const ask = async (name: Person, wanted: string): Promise<Json[]> => {
      const own = id(await by(name).make('networks', {}));
      const port = id(await by(name).make('ports', { network_id: own }));
      const fixed_ips = [{ subnet_id: wanted }];
      const replies = [
        await by(name).call('POST', '/v2.0/ports', { port: { network_id: own, fixed_ips } }),
        await put(name, port, { fixed_ips }),
      ];
      return replies.map(({ status, body }) => ({
        status,
        said: JSON.stringify(body).replaceAll(own, 'own').replaceAll(wanted, 'it'),
      }));
    };
    const none = '11111111-1111-4111-8111-111111111111';
    expect(await ask('stranger', subnet)).toEqual(await ask('stranger', none));
    for (const name of ['owner', 'guest', 'admin'] as const)
      for (const { status, said } of await ask(name, subnet)) {
        expect(status).toBe(400);
        expect(said).toContain('fixed_ips included invalid subnet it');
      }
  });

  it('is not shed by whom it limits: a QoS policy of the operator stays', async () => {
    const policy = id(await by('admin').make('qos/policies', { name: 'limit' }));
    const own = id(await by('admin').make('networks', { project_id: 'own', qos_policy_id: policy }));
    const port = id(
      await by('admin').make('ports', { network_id: network, project_id: 'own', qos_policy_id: policy }),
    );
    const other = id(await by('admin').make('qos/policies', { name: 'wide', project_id: 'own' }));
    for (const qos of [null, other]) {
      const shed = [
        await put('owner', port, { qos_policy_id: qos }),
        await by('owner').call('PUT', `/v2.0/networks/${own}`, { network: { qos_policy_id: qos } }),
      ];
      for (const reply of shed) expectRefusal(reply, 403, 'PolicyRemoveAuthorizationError');
    }
    await by('owner').change('ports', port, { name: 'x', qos_policy_id: policy });
    await by('admin').change('ports', port, { qos_policy_id: other });
    await by('owner').change('ports', port, { qos_policy_id: null });
  });

  it('that somebody else gave to a port may stay there', async () => {
    const group = id(await by('owner').make('security-groups', { name: 'g' }));
    const port = id(
      await by('admin').make('ports', {
        network_id: network,
        project_id: 'shared',
        security_groups: [group],
      }),
    );
    const changed = await by('guest').change('ports', port, { name: 'x', security_groups: [group] });
    expect(changed['security_groups']).toEqual([group]);
  });

  const foreign: readonly [string, string, (object: string) => Json][] = [
    ['network', 'networks', (object) => ({ network_id: object })],
    ['security_group', 'security-groups', (object) => ({ network_id: network, security_groups: [object] })],
    ['qos_policy', 'qos/policies', (object) => ({ network_id: network, qos_policy_id: object })],
  ];
  it.each(foreign)('a %s is not taken on a policy that goes meanwhile', async (type, path, port) => {
    const { store } = under;
    let begun = (): void => {};
    let go = (): void => {};
    const arrived = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const slow: Store = {
      get: (key) => store.get(key),
      snapshot: (prefixes) => store.snapshot(prefixes),
      txn: async (conditions, writes) => {
        begun();
        await gate;
        return store.txn(conditions, writes);
      },
      subscribe: (prefixes, reader) => store.subscribe(prefixes, reader),
      lease: (ttl) => store.lease(ttl),
      revision: () => store.revision(),
      limits: store.limits,
      close: () => store.close(),
    };
    const other = await under.server({ store: slow, authenticator: byName });
    const object = id(await by('admin').make(path, { name: 'x', project_id: 'own' }));
    const policy = id(await share(object, type));
    const taking = by('guest', other).call('POST', '/v2.0/ports', { port: port(object) });
    await arrived;
    await by('owner').remove('rbac-policies', policy);
    go();
    expect((await taking).status).toBe(404);
    expect(await by('admin').list('ports')).toEqual([]);
  });
});
