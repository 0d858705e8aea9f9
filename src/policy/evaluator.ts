/**
 * The verdict at the end of a walk, for callers who look at one host: its tracker goes in and comes out.
 */
import { emptyTracker, type Tracker } from './conntrack.ts';
import type { Verdict } from './verdict.ts';
import { type Pieces, walk } from './walk.ts';
import type { PortId, World } from './world.ts';

/** The verdict on a datagram sent in pieces. */
export function evaluateDatagram(
  world: World,
  host: string,
  tracker: Tracker,
  port: PortId,
  pieces: Pieces,
): Verdict {
  const walked = walk(world, { host, port }, new Map([[host, tracker]]), pieces);
  const { sender, receivers, reply, trackers } = walked;
  return { sender, receivers, reply, tracker: trackers.get(host) ?? emptyTracker };
}

/** The verdict on one frame. */
export const evaluate = (
  world: World,
  host: string,
  tracker: Tracker,
  port: PortId,
  frame: Buffer,
): Verdict => evaluateDatagram(world, host, tracker, port, [frame]);
