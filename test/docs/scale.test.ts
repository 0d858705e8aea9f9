/** The numbers that docs/scale.md reckons with are those of the code. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { commonPrefixes, prefixesFor } from '../../src/agent/interest/needs.ts';
import { openUnderTest } from '../../src/api/testing/api-under-test.ts';
import { keys } from '../../src/model/keys.ts';
import { scopeDepth } from '../../src/model/scopes.ts';
import type { GroupId, NetworkId, PortId } from '../../src/policy/world.ts';
import { Places } from '../../src/store/etcd/scopes.ts';

const page = readFileSync(new URL('../../docs/scale.md', import.meta.url), 'utf8');

/** The number in the row of a table that begins so. */
function rowOf(name: string): number {
  const row = page.split('\n').find((line) => line.startsWith(`| ${name} |`));
  return Number(row?.split('|')[2]?.replaceAll(',', '').trim());
}

test('keys and bytes of a port', async () => {
  const under = await openUnderTest('memory');
  const api = await under.server();
  const { id: network_id } = await api.make('networks', { name: 'net' });
  await api.make('subnets', { network_id, ip_version: 4, cidr: '10.0.0.0/16' });
  await api.make('ports', { network_id });
  const size = async () => {
    const { entries } = await under.store.snapshot(['']);
    return {
      keys: entries.length,
      bytes: entries.reduce((sum, e) => sum + e.key.length + e.value.length, 0),
    };
  };
  const before = await size();
  const count = 50;
  for (let at = 0; at < count; at++) await api.make('ports', { network_id, name: `guest-${at}` });
  const after = await size();
  expect(rowOf('keys of a port')).toBe((after.keys - before.keys) / count);
  const bytes = (after.bytes - before.bytes) / count;
  const records = await under.store.snapshot([keys.port.prefix]);
  await under.close();
  const ofRecord = Math.max(...records.entries.map(({ value }) => value.length));
  expect(Math.abs(rowOf('bytes of these') / bytes - 1)).toBeLessThan(0.05);
  expect(Math.abs(rowOf("bytes of a port's record alone") / ofRecord - 1)).toBeLessThan(0.05);
});

test('watches of a host', () => {
  const watchesWith = (networks: number): number => {
    const port = (id: PortId) => ({
      network: `n${id}` as NetworkId,
      groups: [`g${id}` as GroupId],
      qosPolicy: null,
      host: null,
    });
    const known = {
      port,
      formerHost: () => undefined,
      markedNetwork: () => undefined,
      network: () => ({ qosPolicy: null }),
      addressGroupsOf: () => [],
      routersOf: () => [],
      router: () => undefined,
    };
    const ports = Array.from({ length: networks }, (_, at) => `${at}` as PortId);
    const places = new Places('/portcullis/', scopeDepth);
    const prefixes = [...commonPrefixes, ...prefixesFor(ports, [], known)];
    return new Set(prefixes.map((prefix) => places.scopeOf(prefix))).size;
  };
  expect(rowOf('watches for a network and its group')).toBe(watchesWith(2) - watchesWith(1));
});
