/**
 * Router advertisements that nobody asked for (RFC 4861 6.2.4 and 6.2.5): to every port here, from time to time, when what is
 * advertised changes, and once more for a router that leaves.
 *
 * Invariant: one timer a network with ports here, so the work is bounded by this host's ports and not by the cloud.
 */

import type { Advertisement } from '../../pipeline/features/dhcp/advertisements.ts';
import type { Pipeline } from '../../pipeline/flow-derivation.ts';
import type { NetworkId } from '../../policy/world.ts';
import type { DhcpSettings } from './dhcp4-configuration.ts';
import { advertisementFrame } from './router-solicitations.ts';

/** Milliseconds between two advertisements, at random, as of Neutron's routers. */
const minInterval = 30_000;
const maxInterval = 100_000;

export interface AdvertisingOptions {
  readonly pipeline: Pipeline;
  readonly settings: DhcpSettings;
  /** Sends a packet out of a port here; does nothing without a switch. */
  readonly send: (ofport: number, data: Uint8Array) => void;
}

interface Advertised {
  readonly advertisements: readonly Advertisement[];
  readonly timer: NodeJS.Timeout;
}

export class Advertising {
  readonly #options: AdvertisingOptions;
  readonly #networks = new Map<NetworkId, Advertised>();

  constructor(options: AdvertisingOptions) {
    this.#options = options;
  }

  /** After each round: what it has changed is advertised at once. */
  update(): void {
    const { advertisements } = this.#options.pipeline.relations;
    for (const [network, current] of advertisements.entries()) {
      const last = this.#networks.get(network)?.advertisements ?? [];
      if (last === current) continue;
      this.#takeLeave(network, last, current);
      this.#advertise(network, current);
    }
    for (const [network, { advertisements: last, timer }] of this.#networks) {
      if (advertisements.get(network) !== undefined) continue;
      clearTimeout(timer);
      this.#networks.delete(network);
      this.#takeLeave(network, last, []);
    }
  }

  stop(): void {
    for (const { timer } of this.#networks.values()) clearTimeout(timer);
    this.#networks.clear();
  }

  #advertise(network: NetworkId, advertisements: readonly Advertisement[]): void {
    clearTimeout(this.#networks.get(network)?.timer);
    const { settings } = this.#options;
    this.#sendAll(
      network,
      advertisements.map((one) => advertisementFrame(one, settings)),
    );
    const interval = minInterval + Math.random() * (maxInterval - minInterval);
    const timer = setTimeout(() => this.#advertise(network, advertisements), interval);
    timer.unref();
    this.#networks.set(network, { advertisements, timer });
  }

  #takeLeave(network: NetworkId, last: readonly Advertisement[], current: readonly Advertisement[]): void {
    const gone = last.filter(
      ({ router }) => router !== null && !current.some((other) => other.router === router),
    );
    this.#sendAll(
      network,
      gone.map((one) => advertisementFrame(one, this.#options.settings, undefined, true)),
    );
  }

  #sendAll(network: NetworkId, frames: readonly Uint8Array[]): void {
    if (frames.length === 0) return;
    for (const { ofport, up, port } of this.#options.pipeline.relations.localsOf.get(network)?.values() ?? [])
      if (up && !port.cloudOwned) for (const frame of frames) this.#options.send(ofport, frame);
  }
}
