import { expect, test } from 'vitest';
import { readDatapathStats } from './datapath-stats.ts';

test('a kernel datapath reports all figures itself', () => {
  const shown = `system@ovs-system:
  lookups: hit:900 missed:100 lost:2
  flows: 12
  masks: hit:2500 total:7 hit/pkt:2.50
  cache: hit:3 hit-rate:0.30%
  caches:
    masks-cache: size:256
  port 0: ovs-system (internal)
`;
  expect(readDatapathStats(shown, '')).toEqual({ megaflows: 12, masks: 7, lookups: 1000, tried: 2500 });
});

test('for the userspace datapath the threads are summed, and its masks are unknown', () => {
  const shown =
    'netdev@ovs-netdev:\n  lookups: hit:34 missed:12 lost:0\n  flows: 46\n  port 0: ovs-netdev (tap)\n';
  const thread = (hits: number, mean: string) => `pmd thread numa_id 0 core_id 1:
  packets received: 46
  packet recirculations: 0
  avg. datapath passes per packet: 1.00
  phwol hits: 0
  mfex opt hits: 0
  simple match hits: 0
  emc hits: 0
  smc hits: 0
  megaflow hits: ${hits}
  avg. subtable lookups per megaflow hit: ${mean}
  miss with success upcall: 12
`;
  expect(readDatapathStats(shown, `main thread:\n${thread(30, '1.50')}${thread(4, '2.00')}`)).toEqual({
    megaflows: 46,
    masks: null,
    lookups: 34,
    tried: 53,
  });
});
