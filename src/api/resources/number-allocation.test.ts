import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { violationsOf } from '../../model/invariants/check.ts';
import { keys } from '../../model/keys.ts';
import {
  type NetworkKey,
  networkKeysFor,
  type PortKey,
  portKeysFor,
  preferredNetworkKey,
  preferredPortKey,
} from '../../model/numbers.ts';
import type { NetworkRecord, PortRecord } from '../../model/records.ts';
import { Change, Claims } from '../state/change.ts';
import { ClaimedNumbers } from '../state/claimed-numbers.ts';
import { type Json, openUnderTest, type TestClient, type UnderTest } from '../testing/api-under-test.ts';
import { allocate } from './number-allocation.ts';

const idOf = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

/** Two ids that prefer one number. */
function twins(preferred: (id: string) => number): readonly [string, string] {
  const seen = new Map<number, string>();
  for (let n = 0; ; n++) {
    const other = seen.get(preferred(idOf(n)));
    if (other !== undefined) return [other, idOf(n)];
    seen.set(preferred(idOf(n)), idOf(n));
  }
}

const networkTwins = twins(preferredNetworkKey);
const portTwins = twins(preferredPortKey);

const take = <T>(count: number, values: Iterable<T>): T[] => {
  const taken: T[] = [];
  for (const value of values) if (taken.push(value) === count) break;
  return taken;
};

describe('candidates', () => {
  it('begin with the hash of the id, and are different numbers', () => {
    expect(take(3, portKeysFor(idOf(1)))).toHaveLength(3);
    expect(take(1, portKeysFor(idOf(1)))).toEqual([preferredPortKey(idOf(1))]);
    expect(new Set(take(100, networkKeysFor(idOf(1)))).size).toBe(100);
  });

  it('are every VNI once', () => {
    let sum = 0;
    let count = 0;
    for (const key of networkKeysFor(idOf(2))) {
      sum += key;
      count++;
    }
    expect(count).toBe(0xff_ffff);
    expect(sum).toBe((0xff_ffff * 0x100_0000) / 2);
  });
});

describe('a number', () => {
  const markOf = (key: number): string => `vni/${key}`;
  const candidates = [5, 6, 7] as readonly number[] as readonly NetworkKey[];
  const newChange = (claims = new Claims()) => new Change(1, 0, claims);

  it('is taken once by a change and once by a server', () => {
    const claimedNumbers = new ClaimedNumbers();
    const isFree = (mark: string): boolean => claimedNumbers.isFree(mark);
    const claims = new Claims();
    const first = newChange(claims);
    const asked = { candidates, markOf, owner: 'a' };
    expect(allocate(first, isFree, asked)).toBe(5);
    expect(allocate(first, isFree, asked)).toBe(6);
    const second = newChange(claims);
    expect(allocate(second, isFree, asked)).toBe(7);
    expect(allocate(second, isFree, asked)).toBe(null);
    expect(first.conditions).toEqual([5, 6].map((n) => ({ key: `vni/${n}`, is: 'absent' })));
    expect(first.writes).toEqual([5, 6].map((n) => ({ op: 'put', key: `vni/${n}`, value: 'a' })));
  });

  it('rests after its record is gone, and is free again later', () => {
    let now = 0;
    const claimedNumbers = new ClaimedNumbers(() => now);
    const isFree = (mark: string): boolean => claimedNumbers.isFree(mark);
    claimedNumbers.set('vni/5', 'a');
    expect(claimedNumbers.isFree('vni/5')).toBe(false);
    claimedNumbers.set('vni/5', null);
    expect(claimedNumbers.isFree('vni/5')).toBe(false);
    expect(allocate(newChange(), isFree, { candidates, markOf, owner: 'b' })).toBe(6);
    now += 3_600_000;
    expect(claimedNumbers.isFree('vni/5')).toBe(true);
  });
});

describe('networks and ports of the API', () => {
  let under: UnderTest;
  beforeEach(async () => {
    under = await openUnderTest('memory');
  });
  afterEach(() => under.close());

  const recordsUnder = async <R>(prefix: string): Promise<R[]> =>
    (await under.store.snapshot([prefix])).entries.map(({ value }) => JSON.parse(value) as R);
  const ports = () => recordsUnder<PortRecord>('ports/');
  const networks = () => recordsUnder<NetworkRecord>('networks/');
  const whole = async () => expect(violationsOf((await under.store.snapshot([''])).entries)).toEqual([]);

  /** A server that gives these ids to what it makes, then others of its own. */
  function serverOf(n: number, ...ids: readonly string[]): Promise<TestClient> {
    const left = [...ids];
    let own = n << 20;
    return under.server({ newId: () => left.shift() ?? idOf(++own) });
  }

  it('get numbers that no reader sees', async () => {
    const client = await under.server();
    const network = await client.make('networks', {});
    const port = await client.make('ports', { network_id: network['id'] });
    expect(network).not.toHaveProperty('vni');
    expect(port).not.toHaveProperty('key');
    for (const shown of await client.list('ports')) expect(shown).not.toHaveProperty('key');
    expect((await networks()).map(({ vni }) => vni)).toEqual([preferredNetworkKey(String(network['id']))]);
    expect((await ports()).map(({ key }) => key)).toEqual([preferredPortKey(String(port['id']))]);
    await client.change('ports', port['id'], { name: 'changed' });
    await client.change('networks', network['id'], { name: 'changed' });
    await whole();
    await client.remove('networks', network['id']).catch(() => undefined);
  });

  it('get one each in a bulk request, also where their ids prefer the same', async () => {
    // Default rules and groups take ids too: those of the request are the last.
    const client = await serverOf(9);
    const network = await client.make('networks', {});
    const network_id = network['id'];
    await client.make('ports', { network_id });
    const twinned = await serverOf(10, ...portTwins);
    const bulk = { ports: [{ network_id }, { network_id }] };
    expect((await twinned.call('POST', '/v2.0/ports', bulk)).status).toBe(201);
    const keysOf = new Map((await ports()).map(({ id, key }) => [id, key]));
    const [first, second] = portTwins.map((id) => keysOf.get(id));
    expect(first).toBe(preferredPortKey(portTwins[0]));
    expect(second).toBe((first ?? 0) + 1);
    await whole();
  });

  it('get different ones from two servers that choose the same at the same moment', async () => {
    await serverOf(1);
    const servers = await Promise.all([0, 1].map((at) => serverOf(2 + at, networkTwins[at] ?? '')));
    const made = await Promise.all(servers.map((server) => server.make('networks', {})));
    expect(made.map(({ id }: Json) => id)).toEqual([...networkTwins]);
    const vnis = (await networks()).map(({ vni }) => vni);
    expect(new Set(vnis)).toEqual(
      new Set([preferredNetworkKey(networkTwins[0]), preferredNetworkKey(networkTwins[0]) + 1]),
    );
    await whole();
    const network_id = networkTwins[0];
    // The default group is there by now: the next id that each server takes is a port's.
    const again = await Promise.all([0, 1].map((at) => serverOf(4 + at, portTwins[at] ?? '')));
    await Promise.all(again.map((server) => server.make('ports', { network_id })));
    const first: number = preferredPortKey(portTwins[0]);
    expect(new Set((await ports()).map(({ key }) => key as number))).toEqual(new Set([first, first + 1]));
    await whole();
  });

  it('have port keys of their own in each network', async () => {
    const client = await serverOf(6);
    const one = await client.make('networks', {});
    const other = await client.make('networks', {});
    await client.make('ports', { network_id: one['id'] });
    const [first] = await Promise.all([0, 1].map((at) => serverOf(7 + at, portTwins[at] ?? '')));
    const last = await serverOf(12, portTwins[1]);
    await first?.make('ports', { network_id: one['id'] });
    await last.make('ports', { network_id: other['id'] });
    const twinned = (await ports()).filter(({ id }) => portTwins.includes(id));
    const [a, b] = twinned.map(({ key }): PortKey => key);
    expect(a).toBe(b);
    await whole();
  });

  it('do not get one that was freed a moment ago', async () => {
    const client = await serverOf(13);
    const network = await client.make('networks', {});
    const network_id = network['id'];
    await client.make('ports', { network_id });
    const twinned = await serverOf(14, ...portTwins);
    const gone = await twinned.make('ports', { network_id });
    await twinned.remove('ports', gone['id']);
    await twinned.make('ports', { network_id });
    const made = (await ports()).find(({ id }) => id === portTwins[1]);
    expect(made?.key).toBe(preferredPortKey(portTwins[1]) + 1);
    expect(await under.store.get(keys.portKey(String(network_id), String(gone['key'])))).toBe(null);
    await whole();
  });
});
