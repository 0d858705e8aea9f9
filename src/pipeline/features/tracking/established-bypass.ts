/**
 * The established bypass: packets of a connection whose record names their port skip the rules.
 * It matches metadata only, so established traffic of two ports is one megaflow. A reused address, or another holder of
 * a shared one, is not on the record and inherits nothing.
 */
import type { PortKey } from '../../../model/numbers.ts';
import { type Draft, flow } from '../../draft.ts';
import { isGuarded, type LocalPort, sentBy, sentTo, type Untracked } from '../../local-port.ts';
import { ipv4, ipv6, original, reply } from '../../matches.ts';
import { names, originatorPlaces, type Place, responderPlaces } from '../../record.ts';

/** The families in which a port's packets are tracked, as matches; one match for both. */
function trackedFamilies(untracked: Untracked): readonly { readonly eth_type?: number }[] {
  if (!untracked[4] && !untracked[6]) return [{}];
  return [...(untracked[4] ? [] : [ipv4]), ...(untracked[6] ? [] : [ipv6])];
}

/** Each place has a priority of its own, the likeliest the highest, so that its megaflow matches no other place. */
const highest = 2;
const inOrder = (places: readonly Place[], key: PortKey) =>
  places.map((place, at) => ({
    record: names(place, key),
    band: { band: 'established', level: highest - at } as const,
  }));

function bypass(local: LocalPort, family: { readonly eth_type?: number }): Draft[] {
  const { port, key } = local;
  const from = { ...family, ...sentBy(local) };
  const to = { ...family, ...sentTo(local) };
  const why = { reason: 'established', port: port.id } as const;
  const sent = { goto: 'egress_known' } as const;
  const heard = { goto: 'ingress_known' } as const;
  return [
    ...inOrder(originatorPlaces, key).flatMap(({ record, band }) => [
      flow('egress_state', band, { ...from, ct_state: original, ...record }, sent, why),
      flow('ingress_state', band, { ...to, ct_state: reply, ...record }, heard, why),
    ]),
    ...inOrder(responderPlaces, key).flatMap(({ record, band }) => [
      flow('egress_state', band, { ...from, ct_state: reply, ...record }, sent, why),
      flow('ingress_state', band, { ...to, ct_state: original, ...record }, heard, why),
    ]),
  ];
}

export const establishedBypass = (local: LocalPort, untracked: Untracked): Draft[] =>
  isGuarded(local) ? trackedFamilies(untracked).flatMap((family) => bypass(local, family)) : [];
