/** Why a router ends a packet and tells its sender, and the numbers that stand for it in a register. */
import type { DropReason } from '../policy/drop-reasons.ts';

export const routingFaults = {
  'ttl-exceeded': 1,
  'no-route': 2,
  unresolved: 3,
  'too-big': 4,
} as const satisfies Partial<Record<DropReason, number>>;
export type RoutingFault = keyof typeof routingFaults;

/** The register has the fault in its lowest bits, and the MTU of `too-big` above them. */
export const faultMask = 0xff;
export const mtuShift = 8;

export const routingFaultNames = Object.keys(routingFaults) as readonly RoutingFault[];
