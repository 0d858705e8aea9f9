/**
 * Packets that a lookup of release 0.1 holds while the flows of this one replace its flows: their cached decision still
 * leads to that release's lookup. Behind it they go on with its registers, without a network key, at its table. Each is
 * sent on at the table that has the role now, with the key that belongs to its zone. Without these flows the
 * upgrade of a running switch would drop what connections send until every cached decision is renewed.
 */
import type { NetworkKey } from '../../model/numbers.ts';
import type { Action } from '../../openflow/index.ts';
import type { NetworkId } from '../../policy/world.ts';
import { type Draft, flow } from '../draft.ts';
import { register, type TableName, tables } from '../tables.ts';
import type { Zone } from '../zone.ts';

const goOn = (at: TableName): Action => ({ type: 'resubmit', table: tables[at].id });

/** `network` of this host: a zone is of one network only. */
export function heldLookups(network: NetworkId, key: NetworkKey, zone: Zone): Draft[] {
  const held = { [register.network]: 0, [register.zone]: zone } as const;
  const load = { [register.network]: key };
  const why = { reason: 'held-lookup', network };
  return [
    flow('egress_state', 1000, held, { load, actions: [goOn('egress_state')] }, why),
    flow('l2', 1000, held, { load, actions: [goOn('l2')] }, why),
    // Release 0.1 had its ingress_state where ingress_needs is now.
    flow('ingress_needs', 1000, held, { load, actions: [goOn('ingress_state')] }, why),
    flow('committed', 1000, held, { load, actions: [goOn('committed')] }, why),
  ];
}
