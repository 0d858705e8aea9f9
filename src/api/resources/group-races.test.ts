import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type TestReply,
  type UnderTest,
} from '../testing/api-under-test.ts';

const times = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n));
const typeOf = (reply: TestReply) => (reply.body['NeutronError'] as { type: string } | undefined)?.type;
const statuses = (replies: readonly TestReply[]) => new Set(replies.map(({ status }) => status));

describe.each(['memory', 'embedded'] as const)(
  'requests at once about groups, in a store that is %s',
  (kind) => {
    let under: UnderTest;
    let servers: TestClient[];
    let client: TestClient;
    beforeEach(async () => {
      under = await openUnderTest(kind);
      servers = [await under.server(), await under.server(), await under.server()];
      [client] = servers as [TestClient];
    });
    afterEach(() => under.close());

    const serverOf = (n: number): TestClient => servers[n % servers.length] ?? client;
    const post = (path: string, name: string, attributes: Json, n: number) =>
      serverOf(n).call('POST', `/v2.0/${path}`, { [name]: attributes });
    const remove = (path: string, made: Json, n: number) =>
      serverOf(n).call('DELETE', `/v2.0/${path}/${String(made['id'])}`);
    const naming = async (made: Json) =>
      (await under.content()).filter(([key, value]) => `${key} ${value}`.includes(String(made['id'])));

    it('mix tracked and untracked groups on no port', async () => {
      const network = await client.make('networks', {});
      let turned = 0;
      for (const round of times(10, (n) => n)) {
        const group = () => client.make('security-groups', { name: 'g' });
        const [first, second] = [await group(), await group()];
        const spare = await client.make('ports', {
          network_id: network['id'],
          security_groups: [first['id']],
        });
        const both = [first['id'], second['id']];
        const turn = () =>
          serverOf(round).call('PUT', `/v2.0/security-groups/${String(second['id'])}`, {
            security_group: { stateful: false },
          });
        const join = () => [
          post('ports', 'port', { network_id: network['id'], security_groups: both }, round + 1),
          serverOf(round + 2).call('PUT', `/v2.0/ports/${String(spare['id'])}`, {
            port: { security_groups: both },
          }),
        ];
        // Who asks first wins mostly, so each does in turn.
        const early = round % 2 === 0 ? turn() : null;
        const joined = join();
        const [flip] = await Promise.all([early ?? turn(), ...joined]);
        turned += Number(flip.status === 200);
        const stateful = (await client.show('security-groups', second['id']))['stateful'];
        expect(stateful).toBe(flip.status !== 200);
        const holders = await client.list('ports', `security_groups=${String(second['id'])}`);
        if (stateful === false) expect(holders).toEqual([]);
        else expectRefusal(flip, 409, 'SecurityGroupInUse');
      }
      expect(turned).toBeGreaterThan(0);
      expect(turned).toBeLessThan(10);
    });

    it('leave no rule without its address group, and lose no address', async () => {
      const web = await client.make('security-groups', { name: 'web' });
      for (const round of times(6, (n) => n)) {
        const group = await client.make('address-groups', {});
        const rule = {
          security_group_id: web['id'],
          direction: 'ingress',
          remote_address_group_id: group['id'],
        };
        const [gone, ruled] = await Promise.all([
          remove('address-groups', group, round),
          post('security-group-rules', 'security_group_rule', rule, round + 1),
        ]);
        expect([gone.status, ruled.status]).toEqual(gone.status === 204 ? [204, 404] : [409, 201]);
        if (gone.status === 204) expect(await naming(group)).toEqual([]);
        else expectRefusal(gone, 409, 'AddressGroupInUse');
      }
      const group = await client.make('address-groups', {});
      const added = await Promise.all(
        times(12, (n) =>
          serverOf(n).call('PUT', `/v2.0/address-groups/${String(group['id'])}/add_addresses`, {
            address_group: { addresses: [`10.${n}.0.0/16`] },
          }),
        ),
      );
      expect(statuses(added)).toEqual(new Set([200]));
      const shown = await client.show('address-groups', group['id']);
      expect(shown['addresses']).toHaveLength(12);
      expect(shown['revision_number']).toBe(13);
    });

    it('make one policy of what is the same, none of what is gone, and shut nobody out', async () => {
      const network = await client.make('networks', {});
      for (const round of times(6, (n) => n)) {
        const group = await client.make('security-groups', { name: 'g' });
        const asked = {
          object_type: 'security_group',
          object_id: group['id'],
          action: 'access_as_shared',
          target_tenant: 'p',
        };
        const made = await Promise.all(times(6, (n) => post('rbac-policies', 'rbac_policy', asked, n)));
        expect(made.map((reply) => typeOf(reply) ?? 'made').toSorted()).toEqual([
          ...times(5, () => 'DuplicateRbacPolicy'),
          'made',
        ]);
        const policy = made.find(({ status }) => status === 201)?.body['rbac_policy'] as Json;
        const port = { network_id: network['id'], project_id: 'p', security_groups: [group['id']] };
        const [withdrawn] = await Promise.all([
          remove('rbac-policies', policy, round),
          post('ports', 'port', port, round + 1),
        ]);
        // There is nobody yet whom a missing policy would keep from making the port.
        const [holder] = await client.list('ports', `security_groups=${String(group['id'])}`);
        expect([204, 409]).toContain(withdrawn.status);
        if (withdrawn.status === 409) expectRefusal(withdrawn, 409, 'RbacPolicyInUse');
        await client.remove('ports', holder?.['id']);
        const [gone] = await Promise.all([
          remove('security-groups', group, round),
          post('rbac-policies', 'rbac_policy', { ...asked, target_tenant: '*' }, round + 1),
        ]);
        expect(gone.status).toBe(204);
        expect(await naming(group)).toEqual([]);
      }
    });
  },
);
