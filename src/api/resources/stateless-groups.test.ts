import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';

let under: UnderTest;
let client: TestClient;
let network: Json;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
  network = await client.make('networks', {});
});
afterEach(() => under.close());

const group = (stateful: boolean) => client.make('security-groups', { name: 'g', stateful });
const turn = (id: unknown, stateful: boolean) =>
  client.call('PUT', `/v2.0/security-groups/${String(id)}`, { security_group: { stateful } });
const postPort = (...groups: Json[]) =>
  client.call('POST', '/v2.0/ports', {
    port: { network_id: network['id'], security_groups: groups.map(({ id }) => id) },
  });

describe('stateless groups', () => {
  it('are made, shown, found and turned while nobody has them', async () => {
    const made = await client.make('security-groups', { name: 'x', stateful: 'false' });
    expect(made['stateful']).toBe(false);
    expect((await client.list('security-groups', 'stateful=false')).map(({ id }) => id)).toEqual([
      made['id'],
    ]);
    expect((await turn(made['id'], true)).body).toMatchObject({
      security_group: { stateful: true, revision_number: 2 },
    });
    expect((await turn(made['id'], false)).status).toBe(200);
    await client.remove('security-groups', made['id']);
    expect((await under.content()).filter(([key]) => key.includes(String(made['id'])))).toEqual([]);
  });

  it('keep their kind while a port has them', async () => {
    const made = await group(false);
    const port = (await postPort(made)).body['port'] as Json;
    expect(expectRefusal(await turn(made['id'], true), 409, 'SecurityGroupInUse')).toContain(
      String(made['id']),
    );
    // What it is already is no turn.
    expect((await turn(made['id'], false)).status).toBe(200);
    await client.change('ports', port['id'], { security_groups: [] });
    expect((await turn(made['id'], true)).status).toBe(200);
  });

  it('do not share a port with stateful ones', async () => {
    const [stateless, second, stateful] = [await group(false), await group(false), await group(true)];
    const before = await under.content();
    const refused = expectRefusal(await postPort(stateless, stateful), 409, 'SecurityGroupConflict');
    expect(refused).toContain('both stateful and stateless');
    expect(await under.content()).toEqual(before);
    const port = (await postPort(stateless, second)).body['port'] as Json;
    const put = (...groups: Json[]) =>
      client.call('PUT', `/v2.0/ports/${String(port['id'])}`, {
        port: { security_groups: groups.map(({ id }) => id) },
      });
    expectRefusal(await put(stateless, stateful), 409, 'SecurityGroupConflict');
    expect((await put(stateful)).status).toBe(200);
    expectRefusal(await put(stateful, second), 409, 'SecurityGroupConflict');
    expect((await put()).status).toBe(200);
    const [fallback] = await client.list('security-groups', 'name=default');
    expectRefusal(await put(fallback ?? {}, second), 409, 'SecurityGroupConflict');
  });
});
