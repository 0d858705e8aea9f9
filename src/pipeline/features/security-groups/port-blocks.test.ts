/** Ports of a block that no rule splits are admitted alike, so one cached decision may stand for all of them. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { protocols } from '../../../net/packet/transport.ts';
import { portMasks } from '../../../net/port-range.ts';
import type { GroupId, Rule, RuleId } from '../../../policy/world.ts';
import { isWholeBlocks, splitBlocks } from './port-blocks.ts';

const blockSize = 1024;
const port = fc.oneof(
  fc.integer({ min: 0, max: 0xffff }),
  fc.constantFrom(0, 1023, 1024, 2047, 8191, 8192, 65534, 65535),
);
const range = fc.tuple(port, port).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) }));

const ruleOf = ({ min, max }: { min: number; max: number }): Rule => ({
  id: `${min}-${max}` as RuleId,
  group: 'g' as GroupId,
  direction: 'ingress',
  family: 4,
  l4: { kind: 'ports', protocol: protocols.tcp, min, max },
  remote: { kind: 'any' },
});

test('ports of a block that no rule splits meet the same rules', () => {
  fc.assert(
    fc.property(fc.array(range, { minLength: 1, maxLength: 6 }), port, (ranges, probe) => {
      const first = probe - (probe % blockSize);
      if (splitBlocks(ranges.map(ruleOf), 'tcp').includes(first)) return;
      const meets = (at: number) => ranges.map(({ min, max }) => min <= at && at <= max);
      for (const other of [first, first + 1, first + blockSize - 1])
        expect(meets(other)).toEqual(meets(probe));
    }),
  );
});

test('matches on more bits than those of blocks lie in split blocks', () => {
  fc.assert(
    fc.property(range, (one) => {
      const split = splitBlocks([ruleOf(one)], 'tcp');
      expect(split.length).toBeLessThanOrEqual(2);
      for (const match of portMasks(one.min, one.max)) {
        if (isWholeBlocks(match)) continue;
        expect(split).toContain(match.value - (match.value % blockSize));
      }
    }),
  );
});

test('one port is no whole block, and other protocols split nothing', () => {
  expect(isWholeBlocks(80)).toBe(false);
  expect(splitBlocks([ruleOf({ min: 80, max: 80 })], 'tcp')).toEqual([0]);
  expect(splitBlocks([ruleOf({ min: 80, max: 80 })], 'udp')).toEqual([]);
  expect(splitBlocks([ruleOf({ min: 0, max: 0xffff })], 'tcp')).toEqual([]);
});
