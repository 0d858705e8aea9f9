/**
 * For ports with prefix pairs: marks packets whose source or target address a prefix pair does not give, because
 * another port holds it or no port can. The guards' flows for prefixes require an unmarked packet; those for single
 * addresses do not. One set of flows serves all ports of a network.
 */
import type { NetworkKey } from '../../../model/numbers.ts';
import type { Cidr } from '../../../net/cidr.ts';
import { icmpv6Types as types } from '../../../net/packet/icmpv6.ts';
import { unusablePrefixes } from '../../../net/unusable-addresses.ts';
import { unwildcard } from '../../actions.ts';
import { type Draft, flow, type PassWhy } from '../../draft.ts';
import { address, arp, discovery, ipv4, ipv6 } from '../../matches.ts';
import { register } from '../../registers.ts';
import type { Reserved } from './reserved.ts';

/** Flows that mark a prefix; `scope` limits them to one network. */
function marks(scope: { readonly [register.network]?: NetworkKey }, prefix: Cidr, why: PassWhy): Draft[] {
  const value = address(prefix);
  const source = { load: { [register.sourceReserved]: 1 }, goto: 'reserved_target' } as const;
  const target = { load: { [register.targetReserved]: 1 }, goto: 'guard_type' } as const;
  if (prefix.family === 4)
    return [
      flow(
        'reserved_source',
        'reserved',
        { ...ipv4, ...scope, ip_src: value },
        { ...source, actions: [unwildcard('ip_src')] },
        why,
      ),
      flow('reserved_source', 'reserved', { ...arp, ...scope, arp_spa: value }, source, why),
      flow('reserved_target', 'reserved', { ...arp, ...scope, arp_tpa: value }, target, why),
    ];
  return [
    flow(
      'reserved_source',
      'reserved',
      { ...ipv6, ...scope, ipv6_src: value },
      { ...source, actions: [unwildcard('ipv6_src')] },
      why,
    ),
    ...[types.neighbourSolicitation, types.neighbourAdvertisement].map((type) =>
      flow(
        'reserved_target',
        'reserved',
        { ...discovery, ...scope, icmpv6_type: type, nd_target: value },
        target,
        why,
      ),
    ),
  ];
}

export const reservedFlows = (key: NetworkKey, { network, addresses }: Reserved): Draft[] =>
  addresses.flatMap((ip) => marks({ [register.network]: key }, ip, { reason: 'reserved', network }));

const free = { reason: 'free' } as const;

export const reservedDefaults: readonly Draft[] = [
  ...unusablePrefixes.flatMap((prefix) => marks({}, prefix, { reason: 'unusable' })),
  flow('reserved_source', 'free', ipv4, { actions: [unwildcard('ip_src')], goto: 'reserved_target' }, free),
  flow('reserved_source', 'free', ipv6, { actions: [unwildcard('ipv6_src')], goto: 'reserved_target' }, free),
  flow('reserved_source', 'rest', {}, { goto: 'reserved_target' }, free),
  flow('reserved_target', 'rest', {}, { goto: 'guard_type' }, free),
];
