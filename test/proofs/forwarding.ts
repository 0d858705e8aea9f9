/**
 * Guests that forward. A packet of a conversation crosses the bridge once for each of them, with the same
 * addresses and other MACs. They act as a one-armed router, a firewall, or a load balancer whose servers
 * answer directly.
 */
import fc from 'fast-check';
import type { Mac } from '../../src/net/mac.ts';
import type { PortId } from '../../src/policy/world.ts';
import type { Step } from './driver.ts';

export interface Forwarder {
  readonly id: PortId;
  readonly mac: Mac;
}

/** The forwarding ports in each direction of a conversation, in order. */
export interface Route {
  readonly there: readonly Forwarder[];
  readonly back: readonly Forwarder[];
}

export const direct: Route = { there: [], back: [] };

/** Mostly one forwarder: there, or in both directions, or a different one each way; sometimes two in a row. */
export function routeArbitrary(forwarders: readonly Forwarder[]): fc.Arbitrary<Route> {
  if (forwarders.length === 0) return fc.constant(direct);
  const one = fc.constantFrom(...forwarders);
  const hops = fc.oneof(
    { weight: 4, arbitrary: one.map((only) => [only]) },
    { weight: 1, arbitrary: fc.array(one, { minLength: 2, maxLength: 3 }) },
  );
  return fc.oneof(
    { weight: 4, arbitrary: hops.map((there): Route => ({ there, back: [] })) },
    { weight: 1, arbitrary: hops.map((back): Route => ({ there: [], back })) },
    { weight: 3, arbitrary: hops.map((there): Route => ({ there, back: [...there].reverse() })) },
    { weight: 1, arbitrary: fc.tuple(hops, hops).map(([there, back]): Route => ({ there, back })) },
  );
}

const bytesOf = (mac: Mac): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');

function readdressed(frame: Buffer, from: Mac | null, to: Mac | null): Buffer {
  const copy = Buffer.from(frame);
  if (to !== null) copy.set(bytesOf(to), 0);
  if (from !== null) copy.set(bytesOf(from), 6);
  return copy;
}

/** A step through its forwarders: the sender's frame to the first, then each forwarder's frame to the next. */
export function forwarded({ sender, frames }: Step, hops: readonly Forwarder[]): Step[] {
  return [null, ...hops].map((hop, at) => ({
    sender: hop?.id ?? sender,
    frames: frames.map((frame) => readdressed(frame, hop?.mac ?? null, hops[at]?.mac ?? null)),
  }));
}
