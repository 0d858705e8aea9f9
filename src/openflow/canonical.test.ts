import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalBody, canonicalKey } from './canonical.ts';
import { normalMatch } from './codec/match.ts';
import { decodeMessage, encodeMessage } from './codec/messages.ts';
import type { Match } from './flow.ts';
import { arbitraryMatches, flowMods } from './testing/arbitraries.ts';

const key = (match: Match): string => canonicalKey(1, 2, match);

describe('a flow’s canonical key', () => {
  it('does not depend on the order of fields', () => {
    fc.assert(
      fc.property(arbitraryMatches, (match) => {
        expect(key(Object.fromEntries(Object.entries(match).toReversed()))).toBe(key(match));
      }),
    );
  });

  it('differs where flows differ', () => {
    const one = { reg0: 1, eth_type: 0x800 };
    const others = [
      { reg0: 2, eth_type: 0x800 },
      { reg1: 1, eth_type: 0x800 },
      { reg0: 1 },
      { reg0: { value: 1, mask: 3 }, eth_type: 0x800 },
    ];
    const keys = [key(one), canonicalKey(2, 2, one), canonicalKey(1, 3, one), ...others.map(key)];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it.each<[string, Match, Match]>([
    ['a mask of all ones is none', { ip_frag: { value: 1, mask: 3 } }, { ip_frag: 1 }],
    ['a mask of zero is no field', { reg0: { value: 1, mask: 0 } }, {}],
    [
      'bits outside the mask do not count',
      { reg0: { value: 0xff, mask: 0xf } },
      { reg0: { value: 0xf, mask: 0xf } },
    ],
    [
      'numbers and bigints are the same',
      { eth_src: 5, metadata: { value: 1, mask: 3 } },
      { eth_src: 5n, metadata: { value: 1n, mask: 3n } },
    ],
    ['a wide register is two', { xreg1: (1n << 32n) | 2n }, { reg2: 1, reg3: 2 }],
    [
      'a wide masked register is one',
      { xxreg0: { value: 5n, mask: 0xffn } },
      { reg3: { value: 5, mask: 0xff } },
    ],
    ['an untagged frame', { vlan_tci: { value: 0, mask: 0x1fff } }, { vlan_vid: 0 }],
    [
      'a tag of any kind',
      { vlan_tci: { value: 0x1000, mask: 0x1000 } },
      { vlan_vid: { value: 0x1000, mask: 0x1000 } },
    ],
    ['a whole tag', { vlan_tci: 0x7064 }, { vlan_vid: 0x1064, vlan_pcp: 3 }],
    ['packet_type of Ethernet is implied', { packet_type: 0, reg0: 1 }, { reg0: 1 }],
    [
      'the top bit is not a sign',
      { reg0: { value: 0x80000000, mask: 0xc0000000 } },
      { reg0: { value: 0xbfffffff, mask: 0xc0000000 } },
    ],
  ])('%s', (_, a, b) => {
    expect(key(a)).toBe(key(b));
    expect(normalMatch(a)).toEqual(normalMatch(b));
  });
});

describe('a flow’s canonical body', () => {
  it('is kept by a round trip, and differs where bodies differ', () => {
    fc.assert(
      fc.property(flowMods, (mod) => {
        const { message } = decodeMessage(encodeMessage(mod, 1));
        expect(message.type).toBe('flow_mod');
        if (message.type !== 'flow_mod') return;
        expect(canonicalBody(message)).toBe(canonicalBody(mod));
        expect(canonicalKey(message.table, message.priority, message.match)).toBe(
          canonicalKey(mod.table, mod.priority, mod.match),
        );
        expect(canonicalBody({ ...mod, actions: [...mod.actions, { type: 'dec_ttl' }] })).not.toBe(
          canonicalBody(mod),
        );
      }),
    );
  });
});
