/** What a typed row refuses to compile; `npm run typecheck` fails when one of these lines is accepted. */
import { describe, expect, test } from 'vitest';
import { type Conjunction, clause, drop, flow } from './draft.ts';
import { discovery, icmp6 } from './matches.ts';

const pass = { goto: 'guard_ip' } as const;
const why = { reason: 'test' };
const share: Conjunction = { id: 1, clause: 0, of: 2 };

describe('a match of neighbour discovery', () => {
  test('has ICMPv6 code 0 beside it', () => {
    const { match } = flow('guard_nd', 1, { ...discovery, icmpv6_type: 136, nd_target: 1n }, pass, why);
    expect(match).toMatchObject({ icmpv6_code: 0, nd_target: 1n });
  });

  test('does not compile without it, whichever field and whoever says it', () => {
    const solicitation = { ...icmp6, icmpv6_type: 135 };
    // @ts-expect-error A target without a code.
    flow('guard_nd', 1, { ...solicitation, nd_target: 1n }, pass, why);
    // @ts-expect-error A source link-layer address without a code.
    flow('guard_nd', 1, { ...solicitation, nd_sll: 1n }, pass, why);
    // @ts-expect-error A target link-layer address without a code.
    drop('guard_nd', 1, { ...icmp6, icmpv6_type: 136, nd_tll: 1n }, 'nd-spoof', 'egress');
    // @ts-expect-error An option type without a code.
    clause('responder', 1, { ...solicitation, nd_options_type: 1 }, share);
    // @ts-expect-error Another code.
    flow('guard_nd', 1, { ...solicitation, icmpv6_code: 1, nd_target: 1n }, pass, why);
    // @ts-expect-error A code that might be another.
    flow('guard_nd', 1, { ...solicitation, icmpv6_code: Number('0'), nd_target: 1n }, pass, why);
  });
});

test('a field that the row does not name does not compile', () => {
  // @ts-expect-error The row of guard_mac names no IP protocol.
  flow('guard_mac', 1, { ip_proto: 6 }, { goto: 'guard_type' }, why);
});
