/** The reasons of flows that are no drops. Those of drops are in policy/drop-reasons.ts, since the evaluator has them too. */
import { classifyReasons } from './features/classify/tables.ts';
import { deliveryReasons } from './features/delivery/tables.ts';
import { forwardingReasons } from './features/forwarding/tables.ts';
import { guardReasons } from './features/guards/tables.ts';
import { ingressGuardReasons } from './features/ingress-guard/tables.ts';
import { qosReasons } from './features/qos/tables.ts';
import { recordReasons } from './features/records/tables.ts';
import { responderReasons } from './features/responder/tables.ts';
import { securityGroupReasons } from './features/security-groups/tables.ts';
import { trackingReasons } from './features/tracking/tables.ts';

export type PassReason =
  | keyof typeof classifyReasons
  | keyof typeof guardReasons
  | keyof typeof trackingReasons
  | keyof typeof securityGroupReasons
  | keyof typeof responderReasons
  | keyof typeof qosReasons
  | keyof typeof forwardingReasons
  | keyof typeof ingressGuardReasons
  | keyof typeof recordReasons
  | keyof typeof deliveryReasons;
