/**
 * Numbers of the meters that bound what one port makes the agent or the switch do. There are fewer meters than ports, so
 * two ports may share one: the number is the port's key, folded. Each kind has a range of its own; numbers of QoS limits
 * are apart from all of them (`qos.ts`).
 */

import type { PortKey } from '../model/numbers.ts';

/** In the order of their ranges. */
export const sharedMeterKinds = [
  /** Duplicate-address probes to the agent. */
  'probe',
  /** ARP and ND requests that the switch answers. */
  'answer',
  /** DHCP requests to the agent. */
  'dhcp',
  /** Router solicitations to the agent. */
  'solicitation',
  /** Packets that a router cannot send on, to the agent. */
  'router-error',
] as const;
export type SharedMeterKind = (typeof sharedMeterKinds)[number];

/** Max meters of each kind. Six kinds fit below the numbers of QoS limits. */
export const maxMeterSpread = 10_000;

/** In the kind's range of `spread` numbers; the ranges begin at 1. Null where the switch has no meters. */
export const sharedMeterOf = (kind: SharedMeterKind, portKey: PortKey, spread: number): number | null =>
  spread === 0 ? null : sharedMeterKinds.indexOf(kind) * spread + 1 + (portKey % spread);
