/**
 * Quality of service: how much a port may send and be sent, and how what it sends is marked. Behind the sender's
 * security, so that what is refused does not use up its share; before delivery on the receiver's side.
 */
import { type Draft, flow } from '../draft.ts';

export const qosDefaults: readonly Draft[] = [
  flow('egress_qos', 0, {}, { goto: 'l2' }, { reason: 'no-policy' }),
  flow('ingress_qos', 0, {}, { goto: 'dispatch' }, { reason: 'no-policy' }),
];
