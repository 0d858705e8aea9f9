/**
 * Ports that are about to move: what they may send from either host, and where they are. The guest's own announcement
 * says that it has arrived; the record follows.
 */
import type { Cidr } from '../net/cidr.ts';
import { etherTypes } from '../net/packet/ethernet.ts';
import type { Frame } from '../net/packet/frame.ts';
import { icmpv6Types } from '../net/packet/icmpv6.ts';
import type { DropReason } from './drop-reasons.ts';
import { icmpv6TypeOf } from './packet.ts';
import type { Arrival, Port, World } from './world.ts';

/** A TCP connection in the direction of its first packet, with the keys of the ports that admitted it. */
export interface LeftConnection {
  readonly src: Cidr;
  readonly dst: Cidr;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly originators: readonly number[];
  readonly responders: readonly number[];
}

/** The connections that a port had on a host when it left. */
export interface LeftConnections {
  readonly host: string;
  /** Number of the arrival that it left for. */
  readonly number: number;
  readonly connections: readonly LeftConnection[];
}

/** Null for a port that stays. What a physical network carries is delivered by its switches, which learn by themselves. */
export function arrivalOf({ networks }: World, { network, arrival }: Port): Arrival | null {
  if (arrival === undefined || networks.get(network)?.physical !== undefined) return null;
  return arrival;
}

/** Whether the guards' approval of a frame means that the guest is where the frame comes from. */
export function announces({ ethernet, ip }: Frame): boolean {
  if (ethernet.type === etherTypes.arp || ethernet.type === etherTypes.rarp) return true;
  return ip !== null && icmpv6TypeOf(ip) === icmpv6Types.neighbourAdvertisement;
}

/** Why a port may not send a frame from a host; null where it may, also for ports that stay. */
export function notSentFrom(world: World, host: string, port: Port, frame: Frame | null): DropReason | null {
  const arrival = arrivalOf(world, port);
  if (arrival === null) return null;
  const isAnnounced = world.announced?.has(port.id) === true;
  if (host !== arrival.host) return isAnnounced ? 'moved-away' : null;
  return isAnnounced || (frame !== null && announces(frame)) ? null : 'not-arrived';
}

/** The world with the ports that have announced themselves where they arrived. */
export function asAnnounced(world: World): World {
  const { announced = new Set(), ports } = world;
  if (announced.size === 0) return world;
  const placed = [...ports].map(([id, port]) => {
    const arrival = announced.has(id) ? arrivalOf(world, port) : null;
    return [id, arrival === null ? port : { ...port, host: arrival.host }] as const;
  });
  return { ...world, ports: new Map(placed) };
}
