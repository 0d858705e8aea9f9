/** Many clients at once over real connections, through one server and through two on one store. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Api, createApi } from '../../../src/api/server.ts';
import { violationsOf } from '../../../src/model/invariants/check.ts';
import type { Store } from '../../../src/store/contract.ts';
import { openStore } from '../../../src/store/index.ts';
import { errorOf, type Json, type Reply, Wire } from './wire.ts';

const crowd = 32;

let dir: string;
let store: Store;
let servers: Api[];
let wires: Wire[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-races-'));
  store = await openStore({ kind: 'embedded', dir });
  wires = [];
  servers = [0, 1].map(() =>
    createApi({ store, log: pino({ level: 'silent' }), listen: { host: '127.0.0.1', port: 0 } }),
  );
  for (const api of servers) await api.listen();
});
afterEach(async () => {
  for (const wire of wires) wire.close();
  try {
    expect(violationsOf((await store.snapshot([''])).entries)).toEqual([]);
  } finally {
    for (const api of servers) await api.close();
    await store.close();
    await rm(dir, { recursive: true, force: true });
  }
});

/** A connection of its own to one of the servers. */
function wireTo(server = 0): Wire {
  const wire = new Wire(servers[server % servers.length]?.address ?? '');
  wires.push(wire);
  return wire;
}

const times = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n));
/** One client each; `spread` over as many servers. */
const crowdOf = (spread: number): Wire[] => times(crowd, (n) => wireTo(n % spread));

type Act = (wire: Wire) => Promise<Reply>;

describe('read your writes', () => {
  test('every caller sees its answer in the next one, on any connection', async () => {
    const rounds = 12;
    await Promise.all(
      times(8, async (client) => {
        const [writer, reader] = [wireTo(), wireTo()];
        const shown = async (id: unknown): Promise<Reply> => reader.call('GET', `networks/${String(id)}`);
        const listed = async (name: string): Promise<unknown> =>
          (await reader.call('GET', `networks?name=${name}&fields=id`)).body['networks'];
        for (let round = 0; round < rounds; round++) {
          const name = `n-${client}-${round}`;
          const { id } = await writer.made('networks', 'network', { name });
          expect(await listed(name)).toEqual([{ id }]);
          expect((await shown(id)).body['network']).toMatchObject({ name, revision_number: 1 });
          const cidr = `10.${client}.${round}.0/24`;
          const subnet = await writer.made('subnets', 'subnet', { network_id: id, ip_version: 4, cidr });
          expect((await shown(id)).body['network']).toMatchObject({ subnets: [subnet['id']] });
          const port = await writer.made('ports', 'port', { network_id: id });
          expect(
            (await reader.call('GET', `ports?network_id=${String(id)}&fields=id`)).body['ports'],
          ).toEqual([{ id: port['id'] }]);
          await writer.call('PUT', `networks/${String(id)}`, { network: { name: `${name}-again` } });
          expect(await listed(name)).toEqual([]);
          expect(await listed(`${name}-again`)).toEqual([{ id }]);
          expect((await writer.call('DELETE', `ports/${String(port['id'])}`)).status).toBe(204);
          expect((await reader.call('GET', `ports/${String(port['id'])}`)).status).toBe(404);
          expect((await writer.call('DELETE', `networks/${String(id)}`)).status).toBe(204);
          expect((await shown(id)).status).toBe(404);
        }
      }),
    );
  });
});

describe.each([1, 2])('%i server(s)', (spread) => {
  test(`If-Match: ${crowd} writers lose no update`, async () => {
    const each = 4;
    const { id } = await wireTo().made('networks', 'network', { description: '0' });
    const path = `networks/${String(id)}`;
    let refusals = 0;
    const add = async (wire: Wire): Promise<void> => {
      for (;;) {
        const { body } = await wire.call('GET', path);
        const { description, revision_number: revision } = body['network'] as Json;
        const network = { description: String(Number(description) + 1) };
        const headers = { 'if-match': `revision_number=${String(revision)}` };
        const reply = await wire.call('PUT', path, { network }, headers);
        if (reply.status === 200) return;
        expect([reply.status, errorOf(reply)]).toEqual([412, 'RevisionNumberConstraintFailed']);
        refusals++;
      }
    };
    await Promise.all(
      crowdOf(spread).map(async (wire) => {
        for (let n = 0; n < each; n++) await add(wire);
      }),
    );
    const { body } = await wireTo().call('GET', path);
    expect(body['network']).toMatchObject({
      description: String(crowd * each),
      revision_number: 1 + crowd * each,
    });
    // Else nobody met anybody.
    expect(refusals).toBeGreaterThan(0);
  });

  test(`If-Match: of ${crowd} who delete one revision, one succeeds`, async () => {
    const { id } = await wireTo().made('networks', 'network', {});
    const replies = await Promise.all(
      crowdOf(spread).map((wire) =>
        wire.call('DELETE', `networks/${String(id)}`, undefined, { 'if-match': 'revision_number=1' }),
      ),
    );
    expect(replies.map(({ status }) => status).toSorted()).toEqual([204, ...times(crowd - 1, () => 404)]);
  });

  test(`${crowd} clients get distinct addresses, and a full pool gives IpAddressGenerationFailure alone`, async () => {
    const { id } = await wireTo().made('networks', 'network', {});
    const pool = { start: '10.0.0.10', end: '10.0.0.89' };
    const subnet = { network_id: id, ip_version: 4, cidr: '10.0.0.0/24', allocation_pools: [pool] };
    await wireTo().made('subnets', 'subnet', subnet);
    const replies = (
      await Promise.all(
        crowdOf(spread).map(async (wire) => {
          const mine: Reply[] = [];
          for (let n = 0; n < 3; n++)
            mine.push(await wire.call('POST', 'ports', { port: { network_id: id } }));
          return mine;
        }),
      )
    ).flat();
    const made = replies.filter(({ status }) => status === 201).map(({ body }) => body['port'] as Json);
    const refused = replies.filter(({ status }) => status !== 201);
    const addresses = made.map((port) => (port['fixed_ips'] as { ip_address: string }[])[0]?.ip_address);
    expect(new Set(addresses)).toEqual(new Set(times(80, (n) => `10.0.0.${10 + n}`)));
    expect(addresses).toHaveLength(80);
    expect(new Set(made.map((port) => port['mac_address'])).size).toBe(80);
    expect(refused.map((reply) => [reply.status, errorOf(reply)])).toEqual(
      times(16, () => [409, 'IpAddressGenerationFailure']),
    );
    // What becomes free is given out again, once each.
    const [wire] = crowdOf(spread);
    for (const port of made.slice(0, 5)) await wire?.call('DELETE', `ports/${String(port['id'])}`);
    const again = await Promise.all(
      crowdOf(spread).map((one) => one.call('POST', 'ports', { port: { network_id: id } })),
    );
    expect(again.filter(({ status }) => status === 201)).toHaveLength(5);
    expect(new Set(again.flatMap((reply) => errorOf(reply) ?? []))).toEqual(
      new Set(['IpAddressGenerationFailure']),
    );
  });

  test(`of ${crowd} who want the same unique value, one gets it`, async () => {
    const { id } = await wireTo().made('networks', 'network', {});
    await wireTo().made('subnets', 'subnet', { network_id: id, ip_version: 4, cidr: '10.0.0.0/24' });
    const group = await wireTo().made('security-groups', 'security_group', { name: 'g' });
    const all = crowdOf(spread);
    for (const [path, name, attributes, error] of [
      [
        'ports',
        'port',
        { network_id: id, fixed_ips: [{ ip_address: '10.0.0.9' }] },
        'IpAddressAlreadyAllocated',
      ],
      ['ports', 'port', { network_id: id, mac_address: 'fa:16:3e:00:00:09' }, 'MacAddressInUse'],
      ['subnets', 'subnet', { network_id: id, ip_version: 4, cidr: '10.1.0.0/24' }, 'InvalidInput'],
      [
        'security-group-rules',
        'security_group_rule',
        { security_group_id: group['id'], direction: 'ingress', protocol: 'tcp' },
        'SecurityGroupRuleExists',
      ],
      [
        'rbac-policies',
        'rbac_policy',
        { object_type: 'network', object_id: id, action: 'access_as_shared', target_tenant: 'p' },
        'DuplicateRbacPolicy',
      ],
      ['qos/policies', 'policy', { name: 'q', is_default: true }, 'QoSPolicyDefaultAlreadyExists'],
    ] as const) {
      const replies = await Promise.all(all.map((wire) => wire.call('POST', path, { [name]: attributes })));
      expect(
        replies.filter(({ status }) => status === 201),
        path,
      ).toHaveLength(1);
      expect(new Set(replies.flatMap((reply) => errorOf(reply) ?? [])), path).toEqual(new Set([error]));
    }
  });

  test('a quota is the limit for all of them together', async () => {
    const wire = wireTo();
    const { project_id: project } = await wire.made('networks', 'network', {});
    await wire.call('PUT', `quotas/${String(project)}`, { quota: { network: 11 } });
    const replies = await Promise.all(
      crowdOf(spread).map((one) => one.call('POST', 'networks', { network: {} })),
    );
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(10);
    expect(new Set(replies.flatMap((reply) => errorOf(reply) ?? []))).toEqual(new Set(['OverQuota']));
  });

  test('every project has one default group, whoever asks first', async () => {
    const project = 'first-seen';
    const all = crowdOf(spread);
    const replies = await Promise.all(
      all.map((wire, n) =>
        n % 2 === 0
          ? wire.call('POST', 'networks', { network: { project_id: project } })
          : wire.call('POST', 'security-groups', { security_group: { name: 'g', project_id: project } }),
      ),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([201]));
    const { body } = await wireTo().call('GET', `security-groups?project_id=${project}&name=default`);
    expect(body['security_groups']).toHaveLength(1);
  });

  test('what is in use is not removed, and what is removed is not used', async () => {
    const all = crowdOf(spread);
    for (let round = 0; round < 8; round++) {
      const { id } = await wireTo().made('networks', 'network', {});
      await wireTo().made('subnets', 'subnet', { network_id: id, ip_version: 4, cidr: '10.0.0.0/24' });
      const group = await wireTo().made('security-groups', 'security_group', { name: 'g' });
      const other = await wireTo().made('security-groups', 'security_group', { name: 'o' });
      const port = { network_id: id, security_groups: [group['id']] };
      const rule = { security_group_id: other['id'], direction: 'ingress', remote_group_id: group['id'] };
      const acts: [Act, ...Act[]] = [
        (wire) => wire.call('POST', 'ports', { port }),
        (wire) => wire.call('POST', 'security-group-rules', { security_group_rule: rule }),
        (wire) => wire.call('DELETE', `security-groups/${String(group['id'])}`),
        (wire) => wire.call('DELETE', `networks/${String(id)}`),
      ];
      const replies = await Promise.all(
        all.slice(0, 12).map((wire, n) => (acts[(n + round) % acts.length] ?? acts[0])(wire)),
      );
      for (const reply of replies) expect(reply.status).toBeLessThan(500);
      // The invariants are judged when the test is over.
    }
  });
});
