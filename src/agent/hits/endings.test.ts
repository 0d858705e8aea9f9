import { expect, test } from 'vitest';
import type { FlowRemoved } from '../../openflow/index.ts';
import { HitEndings } from './endings.ts';

const flow = { table: 21, priority: 110, match: { conj_id: 7 }, cookie: 0xa1n };
const counted = { rule: 'r', port: 'p', opens: true };
const told = (packets: bigint, more: Partial<FlowRemoved> = {}): FlowRemoved => ({
  ...flow,
  type: 'flow_removed',
  reason: 2,
  idleTimeout: 0,
  hardTimeout: 0,
  packets,
  bytes: packets * 10n,
  duration: 1,
  ...more,
});
const base = { packets: 4, bytes: 40 };
const rest = { ...counted, packets: 3, bytes: 30 };

test('what a flow met after it was last read is told once, before or after the change is heard to be done', () => {
  const endings = new HitEndings();
  endings.changeBegins();
  expect(endings.ended(flow, counted, base)).toBe(null);
  endings.changeEnds();
  expect(endings.told(told(7n))).toEqual(rest);
  expect(endings.told(told(7n))).toBe(null);
  endings.changeBegins();
  expect(endings.told(told(7n))).toBe(null);
  expect(endings.ended(flow, counted, base)).toEqual(rest);
  endings.changeEnds();
});

test('what has been counted is not counted again, and other flows are nobody’s', () => {
  const endings = new HitEndings();
  endings.changeBegins();
  endings.ended(flow, counted, base);
  endings.changeEnds();
  expect(endings.told(told(9n, { cookie: 0xa2n }))).toBe(null);
  expect(endings.told(told(9n, { match: { conj_id: 8 } }))).toBe(null);
  expect(endings.told(told(4n))).toBe(null);
  endings.changeBegins();
  expect(endings.told(told(9n))).toBe(null);
  endings.changeEnds();
  expect(endings.ended(flow, counted, base)).toBe(null);
});

test('whoever waits for the last word waits no longer than he has patience', async () => {
  const endings = new HitEndings();
  await endings.settled(100_000);
  endings.ended(flow, counted, base);
  await endings.settled(1);
  const waiting = endings.settled(100_000);
  endings.told(told(5n));
  await waiting;
});
