/**
 * For ports with prefix pairs: marks packets whose source or target address a prefix pair does not give, because
 * another port holds it or no port can. The guards' flows for prefixes require an unmarked packet; those for single
 * addresses do not. One set of flows serves all ports of a network.
 */
import type { NetworkKey } from '../../model/numbers.ts';
import type { Cidr } from '../../net/cidr.ts';
import { icmpv6Types as types } from '../../net/packet/icmpv6.ts';
import { unusablePrefixes } from '../../net/unusable-addresses.ts';
import type { NetworkId } from '../../policy/world.ts';
import { type Draft, flow } from '../draft.ts';
import { address, arp, discovery, ipv4, ipv6 } from '../matches.ts';
import type { Reserved } from '../reserved.ts';
import { register } from '../tables.ts';
import { wholeField } from '../whole.ts';

/** Flows that mark a prefix; `scope` limits them to one network. */
function answers(
  scope: { readonly [register.network]?: NetworkKey },
  prefix: Cidr,
  why: { readonly reason: string; readonly network?: NetworkId },
): Draft[] {
  const value = address(prefix);
  const source = { load: { [register.sourceReserved]: 1 }, goto: 'reserved_target' } as const;
  const whole = (field: 'ip_src' | 'ipv6_src') => ({ ...source, actions: [wholeField(field)] });
  const target = { load: { [register.targetReserved]: 1 }, goto: 'guard_type' } as const;
  if (prefix.family === 4)
    return [
      flow('reserved_source', 100, { ...ipv4, ...scope, ip_src: value }, whole('ip_src'), why),
      flow('reserved_source', 100, { ...arp, ...scope, arp_spa: value }, source, why),
      flow('reserved_target', 100, { ...arp, ...scope, arp_tpa: value }, target, why),
    ];
  return [
    flow('reserved_source', 100, { ...ipv6, ...scope, ipv6_src: value }, whole('ipv6_src'), why),
    ...[types.neighbourSolicitation, types.neighbourAdvertisement].map((type) =>
      flow(
        'reserved_target',
        100,
        { ...discovery, ...scope, icmpv6_type: type, nd_target: value },
        target,
        why,
      ),
    ),
  ];
}

export const reservedFlows = (key: NetworkKey, { network, addresses }: Reserved): Draft[] =>
  addresses.flatMap((ip) => answers({ [register.network]: key }, ip, { reason: 'reserved', network }));

export const reservedDefaults: readonly Draft[] = [
  ...unusablePrefixes.flatMap((prefix) => answers({}, prefix, { reason: 'unusable' })),
  ...(['ip_src', 'ipv6_src'] as const).map((field) =>
    flow(
      'reserved_source',
      1,
      field === 'ip_src' ? ipv4 : ipv6,
      { actions: [wholeField(field)], goto: 'reserved_target' },
      { reason: 'free' },
    ),
  ),
  flow('reserved_source', 0, {}, { goto: 'reserved_target' }, { reason: 'free' }),
  flow('reserved_target', 0, {}, { goto: 'guard_type' }, { reason: 'free' }),
];
