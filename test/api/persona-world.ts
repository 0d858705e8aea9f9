/**
 * A cloud for the tests of rights: networks of one project, shared and external, and how to make one of each kind of
 * thing with nothing but some facts to it. Everybody comes by a token file.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect } from 'vitest';
import { TokenFile } from '../../src/api/identity/tokens.ts';
import {
  clientOf,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../../src/api/testing/api-under-test.ts';
import { Hosts } from '../../src/api/testing/hosts.ts';
import { rules } from './persona-rules.ts';
import { type Facts, type PersonaName, tokenFile, tokenOf } from './personas.ts';

let server: TestClient;

export const by = (name: PersonaName): TestClient => clientOf(server.api, { 'x-auth-token': tokenOf(name) });
export const admin = (): TestClient => by('admin');
export const idOf = (record: Json): string => String(record['id']);
let counted = 0;
export const count = (): number => (counted += 1);

/** Networks that stand throughout. */
export const networks = { own: '', shared: '', external: '' };
export const networkFacts: Readonly<Record<keyof typeof networks, Facts>> = {
  own: { project: 'own' },
  shared: { project: 'net', shared: ['own', 'guest'] },
  external: { project: 'cloud', external: true },
};
let group = '';
export const sharedTypes: Readonly<Record<string, string>> = {
  networks: 'network',
  'security-groups': 'security_group',
  'address-groups': 'address_group',
  'qos/policies': 'qos_policy',
  subnetpools: 'subnetpool',
  'address-scopes': 'address_scope',
};

export const share = (path: string, id: string, project: string, owner: string): Promise<Json> =>
  admin().make('rbac-policies', {
    project_id: owner,
    object_type: sharedTypes[path],
    object_id: id,
    action: 'access_as_shared',
    target_tenant: project,
  });

/** What a request for one carries; `on` is the network of a subnet or port. */
export const bodies: Readonly<Record<string, (on: keyof typeof networks) => Json>> = {
  networks: () => ({}),
  subnets: (on) => ({
    network_id: networks[on],
    ip_version: 4,
    cidr: `10.${count() % 250}.${counted % 250}.0/24`,
  }),
  ports: (on) => ({ network_id: networks[on] }),
  'security-groups': () => ({ name: 'group' }),
  'security-group-rules': () => ({
    security_group_id: group,
    direction: 'ingress',
    protocol: 'tcp',
    port_range_min: count(),
    port_range_max: 60_000,
  }),
  'address-groups': () => ({}),
  'rbac-policies': () => ({
    object_type: 'network',
    object_id: networks.own,
    action: 'access_as_shared',
    target_tenant: `somebody${count()}`,
  }),
  'qos/policies': () => ({ name: 'policy' }),
  'default-security-group-rules': () => ({
    direction: 'ingress',
    protocol: 'tcp',
    port_range_min: count(),
    port_range_max: 60_000,
  }),
  'security-groups-default-statefulness': () => ({ stateful: false }),
  subnetpools: () => ({ name: 'pool', prefixes: [`10.${count() % 250}.0.0/16`] }),
  'address-scopes': () => ({ name: 'scope', ip_version: 4 }),
  routers: () => ({ name: 'router' }),
};

/** A kind of thing: where it is and what is true of it. */
export interface Kind {
  readonly title: string;
  readonly path: string;
  readonly on: keyof typeof networks;
  readonly facts: Facts;
}
function kind(title: string, path: string, facts: Facts, on: keyof typeof networks = 'own'): Kind {
  return { title, path, facts, on };
}
export const own = { project: 'own' };
const withGuest = { project: 'own', shared: ['guest'] };
export const kinds: readonly Kind[] = [
  kind('a network', 'networks', own),
  kind('a network, shared', 'networks', withGuest),
  kind('an external network', 'networks', { project: 'own', external: true }),
  kind('a subnet', 'subnets', { ...own, above: 'own' }),
  kind('a subnet of a shared network', 'subnets', { ...networkFacts.shared, above: 'net' }, 'shared'),
  kind(
    "a subnet of one's own in another's",
    'subnets',
    { ...networkFacts.shared, ...own, above: 'net' },
    'shared',
  ),
  kind('a subnet of an external network', 'subnets', { project: 'cloud', above: 'cloud' }, 'external'),
  kind('a port', 'ports', { ...own, above: 'own' }),
  kind('a port on a shared network', 'ports', { ...own, above: 'net' }, 'shared'),
  kind('a group', 'security-groups', own),
  kind('a group, shared', 'security-groups', withGuest),
  kind('a rule', 'security-group-rules', { ...own, above: 'own' }),
  kind("an administrator's rule", 'security-group-rules', { project: 'cloud', above: 'own' }),
  kind('an address group', 'address-groups', own),
  kind('an address group, shared', 'address-groups', withGuest),
  kind('a policy of sharing', 'rbac-policies', own),
  kind('a QoS policy', 'qos/policies', own),
  kind('a QoS policy, shared', 'qos/policies', withGuest),
  kind('a template', 'default-security-group-rules', { project: '' }),
  kind("a project's default statefulness", 'security-groups-default-statefulness', own),
  kind('a subnet pool', 'subnetpools', own),
  kind('a subnet pool, shared', 'subnetpools', withGuest),
  kind('an address scope', 'address-scopes', own),
  kind('an address scope, shared', 'address-scopes', withGuest),
  kind('a router', 'routers', own),
];

/** One of the kind, with nothing but the facts to it. */
export async function make({ path, facts, on }: Kind): Promise<Json> {
  const owner = facts.project === '' ? {} : { project_id: facts.project };
  const body = { ...bodies[path]?.(on), ...owner };
  const thing = await admin().make(
    path,
    facts.external === true ? { ...body, 'router:external': true } : body,
  );
  if (facts.above === undefined)
    for (const project of facts.shared ?? []) await share(path, idOf(thing), project, facts.project);
  return thing;
}

export async function unmake(path: string, id: string): Promise<void> {
  const { status } = await admin().call('DELETE', `/v2.0/${path}/${id}`);
  expect([204, 404]).toContain(status);
}

export const rulesOf = (path: string) => rules[path] ?? expect.fail(`no rules for ${path}`);

export interface World {
  readonly under: UnderTest;
  close(): Promise<void>;
}

/** Fills what stands throughout. */
export async function openWorld(): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-personas-'));
  const file = join(dir, 'tokens.yaml');
  await writeFile(file, tokenFile());
  const under = await openUnderTest('memory');
  server = await under.server({ authenticator: new TokenFile(file, pino({ level: 'silent' })) });
  await (await Hosts.oneAndTwo(under, admin())).live('there');
  networks.own = idOf(await admin().make('networks', { project_id: 'own' }));
  networks.shared = idOf(await admin().make('networks', { project_id: 'net' }));
  for (const project of ['own', 'guest']) await share('networks', networks.shared, project, 'net');
  networks.external = idOf(await admin().make('networks', { 'router:external': true }));
  for (const [on, cidr] of [
    ['own', '198.51.100.0/24'],
    ['shared', '198.51.100.0/24'],
    ['external', '203.0.113.0/24'],
  ] as const) {
    const { project } = networkFacts[on];
    await admin().make('subnets', { ip_version: 4, cidr, network_id: networks[on], project_id: project });
  }
  group = idOf(await admin().make('security-groups', { project_id: 'own', name: 'standing' }));
  return {
    under,
    async close() {
      await under.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
