/**
 * Packets that the switch sends to the agent. Gives each to the handler of its kind and carries out the handler's outcome.
 * Sends a packet back to the switch once the flows that let it pass are there. Changes no flow.
 *
 * Invariants: packets of a kind are handled one after another, so each sees what the one before it recorded. The number
 * of packets that wait is bounded for each port: guests cannot fill memory, whatever the switch's meters let through,
 * and no port's packets displace those of another.
 */
import type { Logger } from 'pino';
import { Sequencer } from '../../base/async.ts';
import { reasonOf } from '../../base/errors.ts';
import { formatCidr } from '../../net/cidr.ts';
import { type PacketIn, ports } from '../../openflow/index.ts';
import type { Pipeline } from '../../pipeline/flow-derivation.ts';
import { type PuntKind, readPuntData } from '../../pipeline/punt-data.ts';
import type { PortId } from '../../policy/world.ts';
import type { Condition, Store, Write } from '../../store/contract.ts';
import type { SwitchLinks } from '../switch/switch-links.ts';
import { Budgets } from './budgets.ts';
import type { ClaimedOutcome, PuntedPacket, PuntHandler, PuntOutcome } from './handler.ts';
import { resume } from './resuming.ts';
import { sendFromRouter, sendOut } from './send-out.ts';

/** Milliseconds in which at most so many refused packets of a port are logged. */
const refusalLogInterval = 60_000;
const maxRefusalLines = 10;

/** Changes of an address's record that one host may write at once, and the milliseconds for each further one. */
const maxClaimsAtOnce = 12;
const claimInterval = 3000;
const maxClaimAttempts = 5;

export interface PuntsOptions {
  readonly store: Store;
  readonly links: SwitchLinks;
  readonly pipeline: Pipeline;
  readonly log: Logger;
  /** A round is needed. */
  readonly onChange: () => void;
  /** By kind of packet: those of the registry. */
  readonly handlers: Readonly<Record<PuntKind, PuntHandler>>;
}

/** A packet that goes back to the switch, as if it had just come in. */
interface Onward {
  readonly inPort: number;
  readonly data: Uint8Array;
}

export interface Refusals {
  readonly packets: number;
  readonly bytes: number;
}

interface PortRefusals extends Refusals {
  /** Start of the present interval of the log, and the packets in it. */
  readonly since: number;
  readonly inInterval: number;
}

interface Queue {
  readonly sequencer: Sequencer;
  /** How many packets wait, by port. */
  readonly waiting: Map<string, number>;
}

export class Punts {
  readonly #options: PuntsOptions;
  readonly #queues = new Map<PuntKind, Queue>();
  /** Ports that have left this host are forgotten when a port is refused for the first time. */
  readonly #refusals = new Map<PortId, PortRefusals>();
  readonly #claimBudgets = new Budgets({ burst: maxClaimsAtOnce, interval: claimInterval });
  #onward: Onward[] = [];
  #stopped = false;

  constructor(options: PuntsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#stopped = false;
  }

  stop(): void {
    this.#stopped = true;
    this.#onward = [];
  }

  /** Never rejects. Resolves when the packet is dealt with. */
  async onPacketIn(packet: PacketIn): Promise<void> {
    const { pipeline, handlers, log } = this.#options;
    const about = readPuntData(packet.userdata ?? new Uint8Array());
    const inPort = packet.metadata.in_port;
    if (this.#stopped || about === null || typeof inPort !== 'number') return;
    const { kind, networkKey, key } = about;
    const handler = handlers[kind];
    const queue = this.#queueOf(kind);
    const port = `${networkKey}|${key}`;
    const waiting = queue.waiting.get(port) ?? 0;
    if (waiting >= handler.maxWaitingPerPort) {
      log.debug({ kind, waiting }, 'dropped a packet because too many of its port wait');
      return;
    }
    queue.waiting.set(port, waiting + 1);
    try {
      await queue.sequencer.run(async () => {
        const [local] = pipeline.relations.localsByKey.get(port)?.values() ?? [];
        if (local === undefined || this.#stopped) return;
        const punted = { data: packet.data, local, fields: packet.metadata };
        const outcome = handler.handle(punted, pipeline);
        if (outcome.kind === 'answered' || outcome.kind === 'declined')
          sendOut(this.#options.links, inPort, outcome.packets);
        const { links } = this.#options;
        if (outcome.kind === 'router-sends' && links.ready)
          sendFromRouter(links.session, { inPort: local.ofport, ...outcome });
        if (outcome.kind === 'connection-moved' && links.ready)
          resume(links.session, local, outcome, packet.data);
        if (!(await this.#carryOut(outcome, punted))) return;
        this.#onward.push({ inPort, data: packet.data });
        this.#options.onChange();
      });
    } catch (error) {
      log.error({ kind, error: reasonOf(error) }, 'failed to handle a packet');
    } finally {
      const left = (queue.waiting.get(port) ?? 1) - 1;
      if (left > 0) queue.waiting.set(port, left);
      else queue.waiting.delete(port);
    }
  }

  #queueOf(kind: PuntKind): Queue {
    let queue = this.#queues.get(kind);
    if (queue === undefined)
      this.#queues.set(kind, (queue = { sequencer: new Sequencer(), waiting: new Map() }));
    return queue;
  }

  /** Whether the packet goes on. Rejects when the store does. */
  async #carryOut(outcome: PuntOutcome, { local, data }: PuntedPacket): Promise<boolean> {
    if (outcome.kind === 'claimed') {
      await this.#claim(outcome, local.port.id);
      return false;
    }
    const { kind } = outcome;
    if (kind === 'ignored' || kind === 'answered' || kind === 'router-sends' || kind === 'connection-moved')
      return false;
    if (outcome.kind === 'declined') {
      const address = formatCidr(outcome.address);
      this.#options.log.warn(
        { port: local.port.id, address },
        'guest declined its address: another user answered',
      );
      return false;
    }
    if (outcome.kind === 'refused') {
      const { id: port } = local.port;
      const { address, owner } = outcome;
      const { packets, inInterval } = this.#countRefusal(port, data.length);
      // A hostile guest claims addresses all the time: without a limit it would fill the disk with log lines.
      if (inInterval <= maxRefusalLines)
        this.#options.log.warn(
          { port, address, owner, packets },
          'port claims an address that is not its own',
        );
      return false;
    }
    const { put, replaces, conditions, deletes } = outcome;
    const { store } = this.#options;
    const entry = replaces === null ? null : await store.get(put.key);
    // Another writer was faster.
    if (entry !== null && entry.value !== replaces) return false;
    const condition: Condition =
      entry === null
        ? { key: put.key, is: 'absent' }
        : { key: put.key, is: 'unchanged', modRevision: entry.modRevision };
    const writes: Write[] = [
      { op: 'put', ...put },
      ...deletes.map((key) => ({ op: 'delete', key }) as const),
    ];
    return (await store.txn([condition, ...conditions], writes)).ok;
  }

  /** Another writer may be faster. The claim is still the later one. */
  async #claim({ key, address, next, conditions }: ClaimedOutcome, port: PortId): Promise<void> {
    const { store, log } = this.#options;
    if (!this.#claimBudgets.take(key)) {
      log.warn({ port, address }, 'port claims an address too often for the record to follow');
      return;
    }
    for (let attempt = 0; attempt < maxClaimAttempts; attempt++) {
      const entry = await store.get(key);
      const value = next(entry?.value ?? null);
      if (value === null) return;
      const unchanged: Condition =
        entry === null ? { key, is: 'absent' } : { key, is: 'unchanged', modRevision: entry.modRevision };
      if (!(await store.txn([unchanged, ...conditions], [{ op: 'put', key, value }])).ok) continue;
      log.info({ port, address }, 'port holds an address');
      return;
    }
  }

  #countRefusal(port: PortId, length: number): PortRefusals {
    const now = performance.now();
    const known = this.#refusals.get(port);
    if (known === undefined) this.#forgetGonePorts();
    const { packets, bytes, since, inInterval } = known ?? {
      packets: 0,
      bytes: 0,
      since: now,
      inInterval: 0,
    };
    const isOver = now - since >= refusalLogInterval;
    const counted = {
      packets: packets + 1,
      bytes: bytes + length,
      since: isOver ? now : since,
      inInterval: isOver ? 1 : inInterval + 1,
    };
    this.#refusals.set(port, counted);
    return counted;
  }

  #forgetGonePorts(): void {
    const { locals } = this.#options.pipeline.relations;
    for (const port of this.#refusals.keys()) if (locals.get(port) === undefined) this.#refusals.delete(port);
  }

  /** Refused packets of a port since it came to this host, as far as this agent saw them. */
  refusals(port: PortId): Refusals {
    const { packets, bytes } = this.#refusals.get(port) ?? { packets: 0, bytes: 0 };
    return { packets, bytes };
  }

  /** Ports with refused packets. */
  get refusedPorts(): number {
    return this.#refusals.size;
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
