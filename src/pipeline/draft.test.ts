/** What a typed row refuses to compile; `npm run typecheck` fails when one of these lines is accepted. */
import { describe, expect, test } from 'vitest';
import { zone } from '../../test/lib/keys.ts';
import { preferredNetworkKey, preferredPortKey } from '../model/numbers.ts';
import { type Conjunction, clause, drop, flow } from './draft.ts';
import { sentBy, sentTo } from './local-port.ts';
import { discovery, icmp6 } from './matches.ts';
import { register } from './tables.ts';

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

describe('a port', () => {
  const port = { key: preferredPortKey('p'), networkKey: preferredNetworkKey('n') };

  test('is matched with its network', () => {
    const { match } = flow('guard_mac', 1, sentBy(port), { goto: 'guard_type' }, why);
    expect(match).toEqual({ [register.source]: port.key, [register.network]: port.networkKey });
    expect(sentTo(port)).toEqual({ [register.destination]: port.key, [register.network]: port.networkKey });
  });

  test('does not compile without its network, or with another kind of number', () => {
    const { key, networkKey } = port;
    // @ts-expect-error A sender without its network.
    drop('guard_mac', 1, { [register.source]: key }, 'mac-spoof', 'egress');
    // @ts-expect-error A receiver without its network.
    flow('dispatch', 1, { [register.destination]: key }, {}, why);
    // @ts-expect-error A zone is no network key.
    drop('guard_mac', 1, { ...sentBy(port), [register.network]: zone(1) }, 'mac-spoof', 'egress');
    // @ts-expect-error A network key is no port key.
    flow('dispatch', 1, { ...sentTo(port), [register.destination]: networkKey }, {}, why);
    // @ts-expect-error A network key is no zone.
    flow('classify', 1, { in_port: 1 }, { load: { [register.zone]: networkKey } }, why);
    // @ts-expect-error A zone is no network key.
    flow('classify', 1, { in_port: 1 }, { load: { [register.network]: zone(1) } }, why);
    // @ts-expect-error A number that is nobody's key.
    flow('l2', 1, { eth_dst: 1n }, { load: { [register.destination]: 5 } }, why);
  });
});

test('a field that the row does not name does not compile', () => {
  // @ts-expect-error The row of guard_mac names no IP protocol.
  flow('guard_mac', 1, { ip_proto: 6 }, { goto: 'guard_type' }, why);
});
