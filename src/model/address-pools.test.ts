import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cidr, formatIp, maskOf, parseIp } from '../net/cidr.ts';
import {
  checkPools,
  defaultGateway,
  defaultPools,
  hostRange,
  isHostAddress,
  poolRange,
} from './address-pools.ts';

const prefixes = fc
  .record({
    family: fc.constantFrom(4 as const, 6 as const),
    bits: fc.bigInt(0n, (1n << 128n) - 1n),
    cut: fc.nat(),
  })
  .map(({ family, bits, cut }) => {
    const width = family === 4 ? 32 : 128;
    const length = 1 + (cut % width);
    return cidr(family, (family === 4 ? bits >> 96n : bits) & maskOf(family, length), length);
  });

describe('default pools', () => {
  it('hold every host address but the gateway, once', () => {
    fc.assert(
      fc.property(prefixes, fc.nat(), (prefix, step) => {
        const { first, last } = hostRange(prefix);
        const gateway = first + (BigInt(step) % (last - first + 1n));
        const pools = defaultPools(prefix, formatIp(prefix.family, gateway));
        checkPools(pools, prefix, 'any');
        const sizes = pools.map((pool) => {
          const range = poolRange(pool);
          return range === null ? 0n : range.last - range.first + 1n;
        });
        expect(sizes.reduce((sum, size) => sum + size, 0n)).toBe(last - first);
        const inside = pools.some((pool) => {
          const range = poolRange(pool);
          return range !== null && gateway >= range.first && gateway <= range.last;
        });
        expect(inside).toBe(false);
      }),
    );
  });

  it('begin after a gateway that is a host address', () => {
    fc.assert(
      fc.property(prefixes, (prefix) => {
        const gateway = parseIp(defaultGateway(prefix));
        expect(gateway !== null && isHostAddress(prefix, gateway)).toBe(true);
      }),
    );
  });
});
