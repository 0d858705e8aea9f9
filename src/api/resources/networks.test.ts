import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectRefusal, openUnderTest, type TestClient, type UnderTest } from '../testing/api-under-test.ts';

let under: UnderTest;
let client: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  client = await under.server();
});
afterEach(() => under.close());

describe('networks', () => {
  it("have Neutron's defaults and standard attributes", async () => {
    const network = await client.make('networks', {});
    expect(network).toMatchObject({
      name: '',
      description: '',
      admin_state_up: true,
      shared: false,
      mtu: 1500,
      status: 'ACTIVE',
      subnets: [],
      port_security_enabled: true,
      port_security_mode: 'strict',
      dhcp_trusted: false,
      allow_reserved_pairs: false,
      revision_number: 1,
    });
    expect(network['tenant_id']).toBe(network['project_id']);
    expect(network['created_at']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  it('are changed one revision at a time, and not at all by a request that changes nothing', async () => {
    const { id } = await client.make('networks', { name: 'a' });
    expect(await client.change('networks', id, { name: 'b', mtu: 1400 })).toMatchObject({
      name: 'b',
      mtu: 1400,
      revision_number: 2,
    });
    expect(await client.change('networks', id, { name: 'b' })).toMatchObject({ revision_number: 2 });
  });

  it('have packets as large as the cloud carries, no larger', async () => {
    const jumbo = await under.server({ mtu: 9000 });
    for (const [server, largest] of [
      [client, 1500],
      [jumbo, 9000],
    ] as const) {
      const network = await server.make('networks', {});
      expect(network).toMatchObject({ mtu: largest });
      expect(await server.change('networks', network['id'], { mtu: 1400 })).toMatchObject({ mtu: 1400 });
      expect(await server.change('networks', network['id'], { mtu: 0 })).toMatchObject({ mtu: largest });
      const larger = { network: { mtu: largest + 1 } };
      for (const [method, url] of [
        ['POST', '/v2.0/networks'],
        ['PUT', `/v2.0/networks/${String(network['id'])}`],
      ] as const) {
        const refused = expectRefusal(await server.call(method, url, larger), 400, 'InvalidInput');
        expect(refused).toContain(`Requested MTU is too big, maximum is ${largest}`);
      }
    }
  });

  it('honour the owner that the body names', async () => {
    expect(await client.make('networks', { tenant_id: 'p1' })).toMatchObject({
      project_id: 'p1',
      tenant_id: 'p1',
    });
    const both = await client.call('POST', '/v2.0/networks', {
      network: { tenant_id: 'p1', project_id: 'p2' },
    });
    expect(expectRefusal(both, 400, 'HTTPBadRequest')).toBe("'project_id' and 'tenant_id' do not match");
  });

  it('go with their subnets, but not under a port', async () => {
    const { id } = await client.make('networks', {});
    const subnet = await client.make('subnets', { network_id: id, ip_version: 4, cidr: '10.0.0.0/24' });
    const port = await client.make('ports', { network_id: id });
    const refusal = expectRefusal(
      await client.call('DELETE', `/v2.0/networks/${String(id)}`),
      409,
      'NetworkInUse',
    );
    expect(refusal).toContain(String(port['id']));
    await client.remove('ports', port['id']);
    await client.make('ports', { network_id: id, device_owner: 'network:dhcp' });
    await client.remove('networks', id);
    expectRefusal(await client.call('GET', `/v2.0/subnets/${String(subnet['id'])}`), 404, 'SubnetNotFound');
    expect(await client.list('ports')).toEqual([]);
    const left = (await under.content()).map(([key]) => key.split('/')[0]);
    expect(new Set(left)).toEqual(new Set(['default-groups', 'default-rules', 'groups', 'planted', 'rules']));
  });

  it("cannot be unshared from under another project's port", async () => {
    const { id } = await client.make('networks', { name: 'everybody’s', shared: true });
    await client.make('ports', { network_id: id, project_id: 'guest' });
    const reply = await client.call('PUT', `/v2.0/networks/${String(id)}`, { network: { shared: false } });
    expect(expectRefusal(reply, 409, 'InvalidSharedSetting')).toBe(
      'Unable to reconfigure sharing settings for network everybody’s. Multiple tenants are using it.',
    );
  });

  it('take If-Match', async () => {
    const { id } = await client.make('networks', {});
    const put = (header: string) =>
      client.call('PUT', `/v2.0/networks/${String(id)}`, { network: { name: 'x' } }, { 'if-match': header });
    expectRefusal(await put('revision_number=7'), 412, 'RevisionNumberConstraintFailed');
    expectRefusal(await put('revision_number=1, revision_number=2'), 400, 'BadRequest');
    expect((await put('revision_number=1')).status).toBe(200);
    const gone = await client.call('DELETE', `/v2.0/networks/${String(id)}`, undefined, {
      'if-match': 'revision_number=1',
    });
    expectRefusal(gone, 412, 'RevisionNumberConstraintFailed');
  });

  it('are created in bulk, all or none', async () => {
    const good = await client.call('POST', '/v2.0/networks', { networks: [{ name: 'a' }, { name: 'b' }] });
    expect(good.status).toBe(201);
    expect((good.body['networks'] as { name: string }[]).map(({ name }) => name)).toEqual(['a', 'b']);
    const before = await under.content();
    const bad = await client.call('POST', '/v2.0/networks', { networks: [{ name: 'c' }, { mtu: 'big' }] });
    expectRefusal(bad, 400, 'InvalidInput');
    expect(await under.content()).toEqual(before);
  });

  it('that do not exist are not found', async () => {
    for (const method of ['GET', 'DELETE'] as const) {
      const message = expectRefusal(await client.call(method, '/v2.0/networks/nope'), 404, 'NetworkNotFound');
      expect(message).toBe('Network nope could not be found.');
    }
    expectRefusal(await client.call('PUT', '/v2.0/networks/nope', { network: {} }), 404, 'NetworkNotFound');
  });
});
