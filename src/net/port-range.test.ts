import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { portMasks } from './port-range.ts';

const port = fc.nat(0xffff);

describe('portMasks', () => {
  it('covers exactly the range', () => {
    fc.assert(
      fc.property(port, port, port, (a, b, probe) => {
        const [min, max] = a < b ? [a, b] : [b, a];
        const hit = portMasks(min, max).some(({ value, mask }) => (probe & mask) === value);
        expect(hit).toBe(probe >= min && probe <= max);
      }),
    );
  });

  it('is minimal where the answer is known', () => {
    expect(portMasks(0, 0xffff)).toEqual([{ value: 0, mask: 0 }]);
    expect(portMasks(80, 80)).toEqual([{ value: 80, mask: 0xffff }]);
    expect(portMasks(1, 65534)).toHaveLength(30);
    expect(portMasks(80, 90)).toHaveLength(3);
  });
});
