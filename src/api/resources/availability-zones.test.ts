import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../model/keys.ts';
import type { BindingRecord, HostRecord } from '../../model/records.ts';
import {
  expectRefusal,
  type Json,
  openUnderTest,
  type TestClient,
  type UnderTest,
} from '../testing/api-under-test.ts';
import { death, livingHost } from '../testing/hosts.ts';
import { as, byName } from '../testing/people.ts';

let under: UnderTest;
let admin: TestClient;
let owner: TestClient;
beforeEach(async () => {
  under = await openUnderTest('memory');
  await host('one', { availability_zone: 'east' });
  await host('two');
  const server = await under.server({ authenticator: byName });
  admin = as(server.api, 'admin');
  owner = as(server.api, 'owner');
});
afterEach(() => under.close());

async function host(name: string, more: Partial<HostRecord> = {}): Promise<void> {
  await under.store.txn([], livingHost(name, more));
}

async function bind(port: Json, name: string | null): Promise<void> {
  const key = keys.binding(String(port['network_id']), String(port['id']));
  const record = (host: string): BindingRecord => ({ host, status: 'ACTIVE' });
  await under.store.txn(
    [],
    [name === null ? { op: 'delete', key } : { op: 'put', key, value: JSON.stringify(record(name)) }],
  );
}

const zones = (query = ''): Promise<Json[]> => owner.list('availability_zones', query);
const available = (name: string, state = 'available'): Json => ({ name, resource: 'network', state });

describe('availability zones', () => {
  it('are those that hosts are in, nova for hosts that name none, and known to everybody', async () => {
    expect(await zones()).toEqual([available('east'), available('nova')]);
    expect(await admin.list('availability_zones')).toEqual(await zones());
  });

  it('are filtered, sorted and paged by what they show', async () => {
    expect(await zones('name=east&name=west')).toEqual([available('east')]);
    expect(await zones('resource=router')).toEqual([]);
    expect(await zones('state=available&sort_key=name&sort_dir=desc')).toEqual([
      available('nova'),
      available('east'),
    ]);
    expect(await zones('limit=1&marker=east')).toEqual([available('nova')]);
    const refused = await owner.call('GET', '/v2.0/availability_zones?color=red');
    expectRefusal(refused, 400, 'HTTPBadRequest');
  });

  it('are available while one of their hosts lives and is not switched off', async () => {
    await under.store.txn([], [death('one')]);
    await expect.poll(() => zones('name=east')).toEqual([available('east', 'unavailable')]);
    await host('three', { availability_zone: 'east' });
    await expect.poll(() => zones('name=east')).toEqual([available('east')]);
    const [agent] = await admin.list('agents', 'host=three');
    await admin.change('agents', agent?.['id'], { admin_state_up: false });
    expect(await zones('name=east')).toEqual([available('east', 'unavailable')]);
  });

  it('go with their last host', async () => {
    await under.store.txn([], [{ op: 'delete', key: keys.host('one') }]);
    await expect.poll(() => zones()).toEqual([available('nova')]);
  });

  it('are made, changed and removed by nobody', async () => {
    const made = await admin.call('POST', '/v2.0/availability_zones', { availability_zone: {} });
    expect(made.status).toBe(403);
    for (const method of ['GET', 'DELETE'] as const) {
      const reply = await admin.call(method, '/v2.0/availability_zones/nova');
      const message = expectRefusal(reply, 404, 'AvailabilityZoneNotFound');
      expect(message).toBe('AvailabilityZone nova could not be found.');
    }
  });

  it('are shown with agents, which are found by them', async () => {
    const found = await admin.list('agents', 'availability_zone=east');
    expect(found).toMatchObject([{ host: 'one', availability_zone: 'east' }]);
  });
});

describe('networks and zones', () => {
  it('take hints at zones that are there, and no others', async () => {
    const network = await owner.make('networks', { availability_zone_hints: ['nova', 'east'] });
    expect(network).toMatchObject({ availability_zone_hints: ['nova', 'east'], availability_zones: [] });
    expect(await owner.make('networks', {})).toMatchObject({ availability_zone_hints: [] });
    const attempt = async (hints: unknown) =>
      owner.call('POST', '/v2.0/networks', { network: { availability_zone_hints: hints } });
    const missing = expectRefusal(await attempt(['nova', 'west']), 404, 'AvailabilityZoneNotFound');
    expect(missing).toBe('AvailabilityZone west could not be found.');
    const wrong: readonly (readonly [unknown, string])[] = [
      ['east', "'east' is not a list"],
      [null, "'None' is not a list"],
      [[1], "'1' is not a valid string"],
      [['east', 'east'], "Duplicate items in the list: 'east'"],
      [['x'.repeat(200), 'y'.repeat(60)], 'Too many availability_zone_hints specified'],
    ];
    for (const [hints, reason] of wrong) {
      const message = expectRefusal(await attempt(hints), 400, 'HTTPBadRequest');
      expect(message).toBe(`Invalid input for availability_zone_hints. Reason: ${reason}.`);
    }
    const changed = await owner.call('PUT', `/v2.0/networks/${String(network['id'])}`, {
      network: { availability_zone_hints: ['east'] },
    });
    expectRefusal(changed, 400, 'HTTPBadRequest');
  });

  it('are in the zones of the hosts that hold their ports', async () => {
    const network = await owner.make('networks', {});
    const shown = async (): Promise<unknown> =>
      (await owner.show('networks', network['id']))['availability_zones'];
    const port = await owner.make('ports', { network_id: network['id'] });
    const other = await owner.make('ports', { network_id: network['id'] });
    await bind(port, 'one');
    await expect.poll(shown).toEqual(['east']);
    await bind(other, 'two');
    await expect.poll(shown).toEqual(['east', 'nova']);
    await bind(port, 'two');
    await expect.poll(shown).toEqual(['nova']);
    await host('two', { availability_zone: 'west' });
    await expect.poll(shown).toEqual(['west']);
    await bind(port, null);
    await bind(other, null);
    await expect.poll(shown).toEqual([]);
  });
});
