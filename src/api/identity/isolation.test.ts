import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressGroupAttributes } from '../../model/address-group.ts';
import type { AttributeTable } from '../../model/attribute.ts';
import { networkAttributes } from '../../model/network.ts';
import { portAttributes } from '../../model/port.ts';
import { qosPolicyAttributes } from '../../model/qos-policy.ts';
import { rbacPolicyAttributes } from '../../model/rbac-policy.ts';
import { securityGroupAttributes } from '../../model/security-group.ts';
import { securityGroupRuleAttributes } from '../../model/security-group-rule.ts';
import { subnetAttributes } from '../../model/subnet.ts';
import {
  type Json,
  nameOf,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { as, byName } from '../testing/people.ts';

const tables: Record<string, AttributeTable> = {
  networks: networkAttributes,
  subnets: subnetAttributes,
  ports: portAttributes,
  'security-groups': securityGroupAttributes,
  'security-group-rules': securityGroupRuleAttributes,
  'address-groups': addressGroupAttributes,
  'rbac-policies': rbacPolicyAttributes,
  'qos/policies': qosPolicyAttributes,
};
const paths = Object.keys(tables);

let under: UnderTest;
let server: TestClient;
/** Ids of both projects' things. */
let ids: string[];
let secrets: readonly (readonly [string, string])[];

const ofOwner = async (): Promise<typeof secrets> =>
  (await under.content()).filter(([, value]) => value.includes('"project_id":"own"'));

/** Names of the owner's things begin with this; nobody else may ever read it. */
const mark = 'SECRET';

beforeEach(async () => {
  under = await openUnderTest('memory');
  server = await under.server({ authenticator: byName });
  ids = [];
  const admin = as(server.api, 'admin');
  for (const project of ['own', 'foreign']) {
    const common = { project_id: project, description: project === 'own' ? mark : 'plain' };
    const name = `${common.description}-name`;
    const keep = async (path: string, attributes: Json): Promise<string> => {
      const made = await admin.make(path, attributes);
      ids.push(String(made['id']));
      return String(made['id']);
    };
    const network = await keep('networks', { ...common, name });
    await keep('subnets', { ...common, name, network_id: network, ip_version: 4, cidr: '10.0.0.0/24' });
    const group = await keep('security-groups', { ...common, name });
    await keep('security-group-rules', { ...common, security_group_id: group, direction: 'ingress' });
    await keep('address-groups', { ...common, name, addresses: ['192.0.2.0/24'] });
    const policy = await keep('qos/policies', { ...common, name });
    await keep(`qos/policies/${policy}/bandwidth_limit_rules`, { max_kbps: 7 });
    await keep('ports', {
      ...common,
      name,
      network_id: network,
      security_groups: [group],
      qos_policy_id: policy,
    });
    await keep('rbac-policies', {
      project_id: project,
      object_type: 'network',
      object_id: network,
      action: 'access_as_shared',
      target_tenant: 'elsewhere',
    });
  }
  secrets = await ofOwner();
});
afterEach(() => under.close());

interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly tail: string;
  readonly target: number;
  readonly query: string;
  readonly attributes: readonly (readonly [string, unknown])[];
}

/** Stands for an id of `ids`, which are not known yet when requests are made up. */
const anId = fc.nat(20).map((at) => `#${at}`);
const value = fc.oneof(
  { weight: 3, arbitrary: anId },
  fc.constantFrom<unknown>('own', 'foreign', '*', '', 'default', null, true, false, 0, 4, 1500, [], {}),
  fc.constantFrom<unknown>(
    'ingress',
    'IPv4',
    'tcp',
    'network',
    'security_group',
    'access_as_shared',
    '10.0.0.0/24',
  ),
  fc.array(anId, { maxLength: 2 }),
  fc.record({ ip_address: fc.constantFrom('10.0.0.5', '10.9.0.0/24') }).map((one) => [one]),
  fc.record({ subnet_id: anId }).map((one) => [one]),
);

const request: fc.Arbitrary<Request> = fc.constantFrom(...paths).chain((path) => {
  const attribute = fc.constantFrom(...Object.keys(tables[path] ?? {}), 'tenant_id');
  return fc.record({
    method: fc.constantFrom('GET' as const, 'POST' as const, 'PUT' as const, 'DELETE' as const),
    path: fc.constant(path),
    tail: fc.constantFrom('', '', '', '/tags', '/tags/x', '/add_addresses', '/bandwidth_limit_rules'),
    target: fc.nat(20),
    query: fc.oneof(
      fc.constant(''),
      fc
        .tuple(attribute, fc.constantFrom('own', mark, `${mark}-name`, 'true', '#1', '#4'))
        .map((pair) => pair.join('=')),
      attribute.map((name) => `sort_key=${name}&sort_dir=desc&limit=3&marker=%231`),
      attribute.map((name) => `fields=${name}`),
    ),
    attributes: fc.array(fc.tuple(attribute, value), { maxLength: 5 }),
  });
});

const known = (text: string): string =>
  text.replace(/(#|%23)(\d+)/g, (_, __, at) => ids[Number(at)] ?? 'none');

describe('a project whose things are shared with nobody', () => {
  it.each(['stranger', 'guestReader'] as const)(
    'is neither seen nor touched by %s',
    async (who) => {
      const client = as(server.api, who);
      await fc.assert(
        fc.asyncProperty(fc.array(request, { minLength: 20, maxLength: 20 }), async (requests) => {
          for (const { method, path, tail, target, query, attributes } of requests) {
            const one = target < ids.length ? `/${ids[target]}${tail}` : '';
            const url = known(`/v2.0/${path}${one}${query === '' ? '' : `?${query}`}`);
            const body = { [nameOf(path)]: Object.fromEntries(attributes) };
            const written = method === 'POST' || method === 'PUT';
            const reply = await client.call(method, url, written ? known(JSON.stringify(body)) : undefined);
            const said = JSON.stringify(reply.body);
            expect(reply.status, `${method} ${url} ${said}`).toBeLessThan(500);
            // What the caller itself wrote may come back.
            if (!query.includes(mark)) expect(said, `${method} ${url}`).not.toContain(mark);
          }
          expect(await ofOwner()).toEqual(secrets);
        }),
        { numRuns: 100 },
      );
    },
    60_000,
  );
});
