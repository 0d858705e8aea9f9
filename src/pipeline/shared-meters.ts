/**
 * Numbers of the meters that bound what one port makes the agent or the switch do. There are fewer meters than ports, so
 * two ports may share one: the number is the port's key, folded. Numbers of QoS limits are apart (`qos.ts`).
 */

import type { PortKey } from '../model/numbers.ts';

/** Max meters of each kind. */
export const maxMeterSpread = 30_000;

/** Of a port's packets to the agent: in [1, spread]. Null where the switch has no meters. */
export const puntMeterOf = (portKey: PortKey, spread: number): number | null =>
  spread === 0 ? null : 1 + (portKey % spread);

/** Of a port's ARP and ND requests that the switch answers: in [spread + 1, 2 * spread]. Null where it has no meters. */
export const answerMeterOf = (portKey: PortKey, spread: number): number | null =>
  spread === 0 ? null : spread + 1 + (portKey % spread);
