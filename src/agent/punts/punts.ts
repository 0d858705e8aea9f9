/**
 * Packets that the switch sends to the agent. Each is judged, and one that may pass goes back to the switch once the
 * flows that let it pass are there. Writes to the store; changes no flow.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../base/errors.ts';
import { type PacketIn, ports } from '../../openflow/index.ts';
import type { Pipeline } from '../../pipeline/pipeline.ts';
import type { PortId } from '../../policy/world.ts';
import type { Store } from '../../store/contract.ts';
import type { SwitchLinks } from '../switch/switch-links.ts';
import { LinkLocals, type Refusals } from './link-locals.ts';

export interface PuntsOptions {
  readonly store: Store;
  readonly links: SwitchLinks;
  readonly pipeline: Pipeline;
  readonly log: Logger;
  /** A round is needed. */
  readonly onChange: () => void;
}

/** A packet that goes back to the switch, as if it had just come in. */
interface Onward {
  readonly inPort: number;
  readonly data: Uint8Array;
}

export class Punts {
  readonly #options: PuntsOptions;
  readonly #linkLocals: LinkLocals;
  #onward: Onward[] = [];
  #stopped = false;

  constructor(options: PuntsOptions) {
    this.#options = options;
    const { facts, relations } = options.pipeline;
    this.#linkLocals = new LinkLocals({ ...options, facts, relations });
  }

  start(): void {
    this.#stopped = false;
  }

  stop(): void {
    this.#stopped = true;
    this.#onward = [];
  }

  async onPacketIn(packet: PacketIn): Promise<void> {
    if (this.#stopped) return;
    try {
      const isClaimed = await this.#linkLocals.claim(packet);
      const inPort = packet.metadata.in_port;
      if (!isClaimed || typeof inPort !== 'number') return;
      this.#onward.push({ inPort, data: packet.data });
      this.#options.onChange();
    } catch (error) {
      this.#options.log.warn({ error: reasonOf(error) }, 'cannot judge a packet');
    }
  }

  /** Packets of a port that were refused since this agent started. */
  refusals(port: PortId): Refusals {
    return this.#linkLocals.refusals(port);
  }

  /** The packets that wait now. What they wait for is in the facts that a round derives from at this moment. */
  takeOnward(): readonly Onward[] {
    return this.#onward.splice(0);
  }

  /** The round failed: its packets wait for the next one. */
  restoreOnward(packets: readonly Onward[]): void {
    this.#onward.unshift(...packets);
  }

  /** Sends packets back to the switch, which has acknowledged the round's flows. */
  send(packets: readonly Onward[]): void {
    for (const packet of packets)
      try {
        this.#options.links.session.packetOut({
          ...packet,
          actions: [{ type: 'output', port: ports.table }],
        });
      } catch (error) {
        this.#options.log.debug({ error: reasonOf(error) }, 'cannot send a packet back to the switch');
      }
  }
}
