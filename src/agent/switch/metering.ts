/**
 * Which meters the switch is to have. A port has one for each kind of packets to the agent, and one for answers
 * of the switch. It has one for each limit of its QoS policy. When the switch has fewer meters, some limits are not enforced, and the log warns. Flows are
 * then derived without those limits.
 *
 * Two ports may share all but the last kind, so these meters' numbers are the ports' keys folded; limits never share,
 * and their numbers are apart (see pipeline/qos.ts).
 */
import type { Logger } from 'pino';
import { Fault } from '../../base/errors.ts';
import { meterBands, type Session } from '../../openflow/index.ts';
import type { Budget } from '../../pipeline/features/qos/budgets.ts';
import type { Pipeline } from '../../pipeline/flow-derivation.ts';
import {
  maxMeterSpread,
  type SharedMeterKind,
  sharedMeterKinds,
  sharedMeterOf,
} from '../../pipeline/shared-meters.ts';
import type { PortId } from '../../policy/world.ts';
import type { Drift } from './drift.ts';
import { type Meter, Meters, readMeters } from './meters.ts';

/** Packets of one port to the agent or to be answered, a second and at once. */
const sharedMeters: Readonly<Record<SharedMeterKind, Meter>> = {
  probe: { unit: 'pktps', rate: 5, burst: 10 },
  // A guest that meets hundreds of neighbours at once has its answers; a flood has no more.
  answer: { unit: 'pktps', rate: 200, burst: 400 },
  dhcp: { unit: 'pktps', rate: 5, burst: 10 },
  solicitation: { unit: 'pktps', rate: 5, burst: 10 },
  // Enough for two runs of traceroute, each with 16 probes under way.
  'router-error': { unit: 'pktps', rate: 20, burst: 40 },
};

/** How many meters the switch has, and how many of them each shared kind may use; both 0 where there are none. */
export interface MeterSupport {
  readonly meters: number;
  readonly spread: number;
  /** What meters there are; null when they have not been read. */
  readonly present?: Awaited<ReturnType<typeof readMeters>>;
}

/** Asks the switch. */
export async function meterSupport(session: Session): Promise<MeterSupport> {
  const none = { meters: 0, spread: 0 };
  try {
    const [[features], present] = await Promise.all([
      session.multipart({ kind: 'meter_features' }, 'meter_features'),
      readMeters(session),
    ]);
    if (features === undefined || (features.bandTypes & (1 << meterBands.drop)) === 0) return none;
    const { maxMeters } = features;
    return {
      meters: maxMeters,
      spread: Math.min(maxMeterSpread, Math.floor(maxMeters / (2 * sharedMeterKinds.length))),
      present,
    };
  } catch (error) {
    if (error instanceof Fault && error.name === 'Refused') return none;
    throw error;
  }
}

const meterFor = ({ kind, limit }: Budget): Meter => ({
  unit: kind === 'bandwidth' ? 'kbps' : 'pktps',
  ...limit,
});
const textOf = ({ meter, limit }: Budget): string => `${meter}|${limit.rate}|${limit.burst}`;

export class Metering {
  readonly #log: Logger;
  readonly #meters = new Meters();
  #support: MeterSupport = { meters: 0, spread: 0 };
  /** Limits that this switch refused, as long as nothing gives reason to think it would take them now. */
  readonly #refused = new Set<string>();
  #wanted: ReadonlyMap<number, Meter> = new Map();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Another connection, perhaps another switch. */
  onConnected(support: MeterSupport): void {
    this.#support = support;
    this.#meters.know(support.present ?? null);
    this.#refused.clear();
    if (support.spread === 0)
      this.#log.error(
        'switch has no meters: no QoS limit is enforced, and no link-local address of a guest is recorded',
      );
  }

  /** Reads the switch's meters, which no monitor reports; `prepare` and `prune` correct changes of others. */
  async look(session: Session, drift: Drift): Promise<void> {
    if (this.#support.meters === 0) return;
    const changed = await this.#meters.look(session);
    if (changed.length > 0) drift.found('meter', changed.length, { meters: changed.slice(0, 20) });
  }

  /**
   * To be called with the flows that are about to be sent, in the same moment as they were derived: decides what
   * can be measured, derives again where that has changed, and lets the switch have the meters.
   */
  async prepare(session: Session, pipeline: Pipeline): Promise<void> {
    for (;;) {
      const wanted = this.#sharedMeters(pipeline);
      this.#withhold(pipeline, this.#support.meters - wanted.size);
      const budgets = new Map<number, Budget>();
      for (const [, { budgets: granted }] of pipeline.relations.qos.granted.entries())
        for (const budget of granted) {
          budgets.set(budget.meter, budget);
          wanted.set(budget.meter, meterFor(budget));
        }
      this.#wanted = wanted;
      if (this.#support.meters === 0) return;
      const refused = await this.#meters.put(session, wanted);
      if (refused.size === 0) return;
      for (const meter of refused) {
        const budget = budgets.get(meter);
        if (budget === undefined)
          throw new Fault({ code: 'MeterRefused', meter }, `the switch refuses meter ${meter}`);
        this.#refused.add(textOf(budget));
      }
    }
  }

  /** Once the flows that name none of them any more are acknowledged. */
  async prune(session: Session): Promise<void> {
    if (this.#support.meters === 0) return;
    const removed = await this.#meters.prune(session, this.#wanted);
    if (removed > 0) this.#refused.clear();
  }

  #sharedMeters({ relations }: Pipeline): Map<number, Meter> {
    const { spread } = this.#support;
    const wanted = new Map<number, Meter>();
    for (const [, { up, key }] of relations.locals.entries()) {
      for (const kind of up ? sharedMeterKinds : []) {
        const meter = sharedMeterOf(kind, key, spread);
        if (meter !== null) wanted.set(meter, sharedMeters[kind]);
      }
    }
    // Claims of ports elsewhere are limited too.
    for (const [, { port, key }] of relations.remotes.entries()) {
      const answer = port.pairs.length > 0 ? sharedMeterOf('answer', key, spread) : null;
      if (answer !== null) wanted.set(answer, sharedMeters.answer);
    }
    return wanted;
  }

  /** Where there are too few, those that are enforced already stay so. */
  #withhold(pipeline: Pipeline, room: number): void {
    const { asked } = pipeline.relations.qos;
    const { withheldMeters } = pipeline.facts;
    const budgets: (Budget & { readonly port: PortId })[] = [];
    for (const [port, qos] of asked.entries())
      for (const budget of qos.budgets) budgets.push({ ...budget, port });
    if (budgets.length <= room && this.#refused.size === 0 && withheldMeters.size === 0) return;

    const possible = budgets.filter((budget) => !this.#refused.has(textOf(budget)));
    const rank = ({ meter }: Budget): number => (this.#meters.has(meter) ? 0 : 1);
    possible.sort((a, b) => rank(a) - rank(b) || a.meter - b.meter);
    const held = new Set(possible.slice(0, Math.max(0, room)).map(({ meter }) => meter));
    const lost = budgets.filter(({ meter }) => !held.has(meter));
    const lostMeters = new Set(lost.map(({ meter }) => meter));
    const isNews = lost.filter(({ meter }) => withheldMeters.get(meter) === undefined);
    for (const [meter] of withheldMeters.entries()) if (!lostMeters.has(meter)) withheldMeters.delete(meter);
    for (const meter of lostMeters) withheldMeters.set(meter, true);
    pipeline.run();
    if (isNews.length === 0) return;
    const limits = isNews.slice(0, 20).map(({ port, direction, kind }) => ({ port, direction, kind }));
    this.#log.error(
      { limits, notEnforced: lost.length, meters: this.#support.meters },
      'QoS limits are not enforced: the switch has no meters for them',
    );
  }
}
