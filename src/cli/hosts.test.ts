import { expect, test } from 'vitest';
import { hostsTable } from './hosts.ts';

test('the table of hosts has a dash for what a host does not have', () => {
  const host = { name: 'h', version: null, tunnel_ip: null, ports: 2, applied: null, last_seen: 'then' };
  const text = hostsTable([
    { ...host, live: true, bridge_mappings: { physnet1: 'br-ex', dc2: 'br-data' }, lag: 0 },
    { ...host, name: 'gone', live: false, bridge_mappings: {}, lag: null },
  ]);
  const rows = text.split('\n').map((line) => line.split(/ {2,}/));
  expect(rows[1]).toEqual(['h', 'live', '-', '-', '-', 'physnet1:br-ex,dc2:br-data', '2', '-', '0']);
  expect(rows[2]).toEqual(['gone', 'dead', 'then', '-', '-', '-', '2', '-', '-']);
});
