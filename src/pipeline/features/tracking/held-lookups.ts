/**
 * Packets that a lookup of release 0.1 holds while the flows of this one replace its flows: their megaflow still
 * leads to that release's lookup. Behind it they go on with its registers, without a network key, at its table. Each is
 * sent on at the table that has the role now, with the key that belongs to its zone. Without these flows the
 * upgrade of a running switch would drop what connections send until every megaflow is renewed.
 */
import type { NetworkKey } from '../../../model/numbers.ts';
import type { NetworkId } from '../../../policy/world.ts';
import { resubmit } from '../../actions.ts';
import { type Draft, flow } from '../../draft.ts';
import { register } from '../../registers.ts';
import type { Zone } from '../../zone.ts';

/** `network` of this host: a zone is of one network only. */
export function heldLookups(network: NetworkId, key: NetworkKey, zone: Zone): Draft[] {
  const held = { [register.network]: 0, [register.zone]: zone } as const;
  const load = { [register.network]: key };
  const why = { reason: 'held-lookup', network } as const;
  return [
    flow('egress_state', 'heldLookup', held, { load, actions: [resubmit('egress_state')] }, why),
    flow('l2', 'heldLookup', held, { load, actions: [resubmit('l2')] }, why),
    // Release 0.1 had its ingress_state where ingress_needs is now.
    flow('ingress_needs', 'heldLookup', held, { load, actions: [resubmit('ingress_state')] }, why),
    flow('committed', 'heldLookup', held, { load, actions: [resubmit('committed')] }, why),
  ];
}
