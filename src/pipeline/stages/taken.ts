/**
 * What is asked of a port with prefix pairs before its guards for addresses: whether the address that it speaks from, or for, is
 * somebody else's or nobody's. The guards' flows for prefixes ask for the answer; those for addresses that the port
 * has by name do not. One set of flows serves all ports of a network.
 */
import type { Cidr } from '../../net/cidr.ts';
import { icmpv6Types as types } from '../../net/packet/icmpv6.ts';
import { unusablePrefixes } from '../../net/unusable-addresses.ts';
import type { NetworkId } from '../../policy/world.ts';
import { type Draft, flow } from '../draft.ts';
import { address, arp, discovery, ipv4, ipv6 } from '../matches.ts';
import { register } from '../tables.ts';
import type { Taken } from '../taken.ts';
import { wholeField } from '../whole.ts';

/** `scope`: where the answer holds. */
function answers(
  scope: { readonly reg1?: number },
  prefix: Cidr,
  why: { readonly reason: string; readonly network?: NetworkId },
): Draft[] {
  const value = address(prefix);
  const source = { load: { [register.sourceTaken]: 1 }, goto: 'taken_target' } as const;
  const whole = (field: 'ip_src' | 'ipv6_src') => ({ ...source, actions: [wholeField(field)] });
  const target = { load: { [register.targetTaken]: 1 }, goto: 'guard_type' } as const;
  if (prefix.family === 4)
    return [
      flow('taken_source', 100, { ...ipv4, ...scope, ip_src: value }, whole('ip_src'), why),
      flow('taken_source', 100, { ...arp, ...scope, arp_spa: value }, source, why),
      flow('taken_target', 100, { ...arp, ...scope, arp_tpa: value }, target, why),
    ];
  return [
    flow('taken_source', 100, { ...ipv6, ...scope, ipv6_src: value }, whole('ipv6_src'), why),
    ...[types.neighbourSolicitation, types.neighbourAdvertisement].map((type) =>
      flow('taken_target', 100, { ...discovery, ...scope, icmpv6_type: type, nd_target: value }, target, why),
    ),
  ];
}

export const takenFlows = (zone: number, { network, addresses }: Taken): Draft[] =>
  addresses.flatMap((ip) => answers({ [register.network]: zone }, ip, { reason: 'taken', network }));

export const takenDefaults: readonly Draft[] = [
  ...unusablePrefixes.flatMap((prefix) => answers({}, prefix, { reason: 'unusable' })),
  ...(['ip_src', 'ipv6_src'] as const).map((field) =>
    flow(
      'taken_source',
      1,
      field === 'ip_src' ? ipv4 : ipv6,
      { actions: [wholeField(field)], goto: 'taken_target' },
      { reason: 'free' },
    ),
  ),
  flow('taken_source', 0, {}, { goto: 'taken_target' }, { reason: 'free' }),
  flow('taken_target', 0, {}, { goto: 'guard_type' }, { reason: 'free' }),
];
