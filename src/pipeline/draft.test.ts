/** What a typed row refuses to compile; `npm run typecheck` fails when one of these lines is accepted. */
import { describe, expect, test } from 'vitest';
import { zone } from '../../test/lib/keys.ts';
import { preferredNetworkKey, preferredPortKey } from '../model/numbers.ts';
import type { Action } from '../openflow/index.ts';
import {
  branch,
  clone,
  commit,
  copyField,
  keepApart,
  learn,
  lookUp,
  meter,
  output,
  punt,
  resubmit,
  rewrite,
  sendBack,
  throughMpls,
  unwildcard,
} from './actions.ts';
import { type Conjunction, clause, drop, flow, type PassWhy } from './draft.ts';
import { sentBy, sentTo } from './local-port.ts';
import { discovery, icmp6 } from './matches.ts';
import { after } from './positions.ts';
import { register } from './registers.ts';

const pass = { goto: 'guard_ip' } as const;
const why: PassWhy = { reason: 'nd' };
const share: Conjunction = { id: 1, clause: 0, of: 2 };

describe('a match of neighbour discovery', () => {
  test('has ICMPv6 code 0 beside it', () => {
    const match = { ...discovery, icmpv6_type: 136, nd_target: 1n };
    expect(flow('guard_nd', 'own', match, pass, why).match).toMatchObject({ icmpv6_code: 0, nd_target: 1n });
  });

  test('does not compile without it, in any field and any kind of flow', () => {
    const solicitation = { ...icmp6, icmpv6_type: 135 };
    // @ts-expect-error A target without a code.
    flow('guard_nd', 'own', { ...solicitation, nd_target: 1n }, pass, why);
    // @ts-expect-error A source link-layer address without a code.
    flow('guard_nd', 'own', { ...solicitation, nd_sll: 1n }, pass, why);
    const spoof = { reason: 'nd-spoof', drop: 'egress' } as const;
    // @ts-expect-error A target link-layer address without a code.
    drop('guard_nd', 'own', { ...icmp6, icmpv6_type: 136, nd_tll: 1n }, spoof);
    // @ts-expect-error An option type without a code.
    clause('responder', 'known', { ...solicitation, nd_options_type: 1 }, share);
    // @ts-expect-error Another code.
    flow('guard_nd', 'own', { ...solicitation, icmpv6_code: 1, nd_target: 1n }, pass, why);
    // @ts-expect-error A code that might be another.
    flow('guard_nd', 'own', { ...solicitation, icmpv6_code: Number('0'), nd_target: 1n }, pass, why);
  });
});

const port = { key: preferredPortKey('p'), networkKey: preferredNetworkKey('n') };
const toType = { goto: 'guard_type' } as const;

describe('a port', () => {
  test('is matched with its network', () => {
    const { match } = flow('guard_mac', 'own', sentBy(port), toType, why);
    expect(match).toEqual({ [register.source]: port.key, [register.network]: port.networkKey });
    expect(sentTo(port)).toEqual({ [register.destination]: port.key, [register.network]: port.networkKey });
  });

  test('does not compile without its network, or with another kind of number', () => {
    const { key, networkKey } = port;
    const spoof = { reason: 'mac-spoof', drop: 'egress' } as const;
    const none = { actions: [] } as const;
    // @ts-expect-error A sender without its network.
    drop('guard_mac', 'spoofed', { [register.source]: key }, spoof);
    // @ts-expect-error A receiver without its network.
    flow('dispatch', 'port', { [register.destination]: key }, none, why);
    // @ts-expect-error A zone is no network key.
    drop('guard_mac', 'spoofed', { ...sentBy(port), [register.network]: zone(1) }, spoof);
    // @ts-expect-error A network key is no port key.
    flow('dispatch', 'port', { ...sentTo(port), [register.destination]: networkKey }, none, why);
    const toMac = { goto: after('classify') } as const;
    // @ts-expect-error A network key is no zone.
    flow('classify', 'port', { in_port: 1 }, { load: { [register.zone]: networkKey }, ...toMac }, why);
    // @ts-expect-error A zone is no network key.
    flow('classify', 'port', { in_port: 1 }, { load: { [register.network]: zone(1) }, ...toMac }, why);
    // @ts-expect-error A number that is nobody's key.
    flow('l2', 'known', { eth_dst: 1n }, { load: { [register.destination]: 5 }, goto: 'commit' }, why);
  });
});

describe('does not compile:', () => {
  const to = sentTo(port);

  test('a field that the row does not name', () => {
    // @ts-expect-error guard_mac matches no IP protocol.
    flow('guard_mac', 'own', { ip_proto: 6 }, toType, why);
    const spread = { eth_src: 1n, ip_proto: 6 };
    // @ts-expect-error The same by a spread object.
    flow('guard_mac', 'own', { ...spread }, toType, why);
  });

  test('a load outside the row', () => {
    // @ts-expect-error guard_mac loads nothing.
    flow('guard_mac', 'own', {}, { load: { reg5: 1 }, ...toType }, why);
    const load = { [register.dhcp]: 1, [register.peer]: 1 };
    // @ts-expect-error guard_type loads the DHCP register, not the peer, not even from a variable.
    flow('guard_type', 'dhcp', {}, { load, ...pass }, why);
    // @ts-expect-error A header field is no register.
    flow('guard_type', 'dhcp', {}, { load: { eth_src: 1 }, ...pass }, why);
    // @ts-expect-error A branch loads what its row allows.
    branch<'l2'>({ [register.peer]: 1 }, after('forwarding'));
  });

  test('a next table outside the row', () => {
    // @ts-expect-error dispatch is the last table.
    flow('dispatch', 'port', to, { goto: 'classify' }, why);
    // @ts-expect-error guard_mac leads to the guards, not to delivery.
    flow('guard_mac', 'own', {}, { goto: 'dispatch' }, why);
    // @ts-expect-error Behind the responder come QoS tables, which guard_mac does not lead to.
    flow('guard_mac', 'own', {}, { goto: after('responder') }, why);
  });

  test('a priority outside the row', () => {
    // @ts-expect-error A number.
    expect(() => flow('guard_mac', 100, {}, toType, why)).toThrow();
    // @ts-expect-error A band of another table.
    expect(() => flow('guard_mac', 'probe', {}, toType, why)).toThrow();
    // @ts-expect-error A level of a band of one priority.
    expect(() => flow('guard_mac', { band: 'own', level: 1 }, {}, toType, why)).toThrow();
    // @ts-expect-error A range without a level.
    flow('egress_rules', 'clause', {}, { goto: after('responder') }, why);
  });

  test('an action outside the row', () => {
    const raw: Action = { type: 'output', port: 1 };
    // @ts-expect-error An action that no builder made.
    flow('dispatch', 'port', to, { actions: [raw] }, why);
    // @ts-expect-error resubmit from the last table.
    flow('dispatch', 'port', to, { actions: [resubmit('classify')] }, why);
    // @ts-expect-error l2 resubmits to the ingress guard, not to the first table.
    flow('l2', 'known', {}, { actions: [resubmit('classify')] }, why);
    // @ts-expect-error ct(table=…) from the last table.
    flow('dispatch', 'port', to, { actions: [lookUp('egress_state')] }, why);
    // @ts-expect-error The egress lookup goes on at egress_state.
    flow('egress_ct', 'lookup', {}, { actions: [lookUp('ingress_state')] }, why);
    // @ts-expect-error set_field of a header.
    flow('dispatch', 'port', to, { actions: [rewrite('eth_src', 1n)] }, why);
    // @ts-expect-error The responder rewrites ARP, not IP.
    flow('responder', 'known', {}, { actions: [rewrite('ip_src', 1)] }, why);
    // @ts-expect-error move into a header.
    flow('dispatch', 'port', to, { actions: [copyField('eth_src', 'eth_dst', 48)] }, why);
    // @ts-expect-error No row has tables that `learn` fills.
    flow('dispatch', 'port', to, { actions: [learn('classify', learnt)] }, why);
    // @ts-expect-error Only dispatch outputs to ports.
    flow('l2', 'known', {}, { actions: [output(1)] }, why);
    // @ts-expect-error Only the responder sends back.
    flow('dispatch', 'port', to, { actions: [sendBack()] }, why);
    // @ts-expect-error Only guard_nd punts.
    flow('guard_arp', 'own', {}, { actions: [punt(new Uint8Array(), 1)] }, why);
    // @ts-expect-error dispatch has no meter.
    flow('dispatch', 'port', to, { actions: [meter(1)] }, why);
    // @ts-expect-error dispatch clones nothing.
    flow('dispatch', 'port', to, { actions: [clone([])] }, why);
    // @ts-expect-error Only `remember` commits.
    flow('commit', 'none', {}, { actions: [commit([])] }, why);
    // @ts-expect-error Only QoS keeps copies apart.
    flow('l2', 'known', {}, { actions: [keepApart()] }, why);
    // @ts-expect-error Only the responder makes a packet MPLS.
    flow('dispatch', 'port', to, { actions: throughMpls(0x8847, 0x806) }, why);
    // @ts-expect-error guard_mac un-wildcards the source MAC alone.
    flow('guard_mac', 'own', {}, { actions: [unwildcard('eth_dst')], ...toType }, why);
    // @ts-expect-error An action of another table.
    flow('guard_ip', 'own', {}, { actions: [unwildcard<'reserved_source'>('ip_src')], ...pass }, why);
  });

  test('a reason outside the lists', () => {
    // @ts-expect-error Nobody explains this reason.
    flow('guard_mac', 'own', {}, toType, { reason: 'because' });
    // @ts-expect-error A drop's reason is no pass reason.
    flow('guard_mac', 'own', {}, toType, { reason: 'mac-spoof' });
    // @ts-expect-error A pass reason is no drop's reason.
    drop('guard_mac', 'own', {}, { reason: 'own-mac', drop: 'egress' });
    // @ts-expect-error A drop has a direction.
    drop('guard_mac', 'own', {}, { reason: 'mac-spoof' });
  });
});

const learnt = {
  idleTimeout: 1,
  hardTimeout: 0,
  priority: 1,
  cookie: 0n,
  flags: 0,
  finIdleTimeout: 0,
  finHardTimeout: 0,
  specs: [],
};
