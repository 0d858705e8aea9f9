/** Why a router ends a packet and tells its sender, and the numbers that stand for it in a register. */
import type { DropReason } from '../policy/drop-reasons.ts';

export const routingFaults = {
  'ttl-exceeded': 1,
  'no-route': 2,
  unresolved: 3,
} as const satisfies Partial<Record<DropReason, number>>;
export type RoutingFault = keyof typeof routingFaults;

export const routingFaultNames = Object.keys(routingFaults) as readonly RoutingFault[];
