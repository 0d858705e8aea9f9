/**
 * What this host writes to the store: that it lives, the bindings of its ports, and answers to questions.
 *
 * Invariant: nothing is reported that the switch has not acknowledged. A store that is away undoes no round; it gets
 * the report later.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../base/errors.ts';
import type { AskRecord } from '../../model/records.ts';
import type { Pipeline } from '../../pipeline/flow-derivation.ts';
import { isArriving } from '../../pipeline/local-port.ts';
import type { Store } from '../../store/contract.ts';
import type { Cutter } from '../connections/cutter.ts';
import type { Flows } from '../flows/flows.ts';
import type { Rounds } from '../flows/rounds.ts';
import type { Hits } from '../hits/hits.ts';
import type { Interest } from '../interest/interest.ts';
import type { Punts } from '../punts/punts.ts';
import type { SwitchLinks } from '../switch/switch-links.ts';
import { Answers } from './answers.ts';
import { Bindings } from './bindings.ts';
import { hostDrops, portDrops } from './counters.ts';
import { explainPacket } from './explaining.ts';
import { HostLife } from './host-life.ts';
import { bridgeRecordOf, type HostFacts, hostRecordOf } from './host-records.ts';
import { SyncTargets } from './sync-targets.ts';

export interface ReportOptions extends HostFacts {
  readonly store: Store;
  readonly log: Logger;
  readonly pipeline: Pipeline;
  readonly links: SwitchLinks;
  readonly interest: Interest;
  readonly flows: Flows;
  readonly rounds: Rounds;
  readonly connections: Cutter;
  readonly hits: Hits;
  readonly punts: Punts;
}

/** What servers want to know at one moment. */
export interface Questions {
  readonly asks: ReadonlyMap<string, AskRecord>;
  /** The revision that a sync waits for; null for none. */
  readonly target: number | null;
}

export class Report {
  readonly answers: Answers;
  readonly life: HostLife;
  readonly targets = new SyncTargets();
  readonly #options: ReportOptions;
  readonly #bindings: Bindings;

  constructor(options: ReportOptions) {
    this.#options = options;
    const { store, host, interest, pipeline, links, hits, punts } = options;
    const started = Date.now();
    this.life = new HostLife({
      ...options,
      hostRecord: () => hostRecordOf(options, started, links.datapathType),
      bridgeRecord: () =>
        links.datapathType === undefined ? undefined : bridgeRecordOf(options, links.datapathType),
    });
    this.#bindings = new Bindings(store, interest.topology, host, (port) => interest.isPlugged(port));
    this.answers = new Answers({
      ...options,
      hits: () => hits.look(),
      hostDrops: () => hostDrops(links.session, pipeline),
      drops: (port) => portDrops(links.session, pipeline, port, punts.refusals(port)),
      explain: (packet) =>
        explainPacket({ pipeline, host, connections: (zone) => links.connections(zone) }, packet),
    });
  }

  /** Rejects when the store does, and with `HostTaken`. */
  async start(): Promise<void> {
    await this.life.start();
  }

  /** Says that this host is gone. Rejects when the store does. */
  async stop(): Promise<void> {
    await this.life.stop();
  }

  /** The switch has acknowledged a round. */
  async acknowledged(): Promise<void> {
    const { pipeline, interest, rounds } = this.#options;
    this.life.refresh();
    const locals = [...pipeline.relations.locals.entries()];
    const up = locals.filter(([, local]) => local.port.adminUp && !isArriving(local)).map(([id]) => id);
    try {
      await this.#bindings.report(new Set(up));
      await interest.releaseZones();
      rounds.settled();
    } catch (error) {
      this.#retryLater(reasonOf(error));
    }
  }

  /** What is asked now; hand it to `answer` once what was known at this moment is applied, or to `restore`. */
  takeQuestions(): Questions {
    return { asks: this.answers.take(), target: this.targets.take() };
  }

  restore({ asks, target }: Questions): void {
    this.answers.restore(asks);
    this.targets.restore(target);
  }

  /** Answers once packets meet the round's flows and no connection is left that they forbid. */
  async answer(questions: Questions, cut: Promise<boolean>): Promise<void> {
    const { links, flows, connections } = this.#options;
    const { asks, target } = questions;
    try {
      const revalidated = await cut;
      if (asks.size === 0 && target === null) return;
      const { session, ovsdb } = links;
      if (!revalidated) {
        await session.barrier();
        await links.revalidated();
      }
      // The switch and its database have reported by then what others changed before the question.
      await Promise.all([session.barrier(), ovsdb.caughtUp()]);
    } catch (error) {
      this.restore(questions);
      this.#retryLater(reasonOf(error));
      return;
    }
    // The round that corrects the switch takes the question again.
    if (!flows.undisturbed) {
      this.restore(questions);
      return;
    }
    if (target !== null) this.life.reached({ revision: target, cut_total: connections.counts.connections });
    const failure = await this.answers.settle(asks);
    if (failure !== null) this.#retryLater(failure);
  }

  #retryLater(error: string): void {
    const { rounds, log } = this.#options;
    if (rounds.stopped) return;
    log.warn({ error }, 'failed to report to the store; will retry');
    rounds.repeatLater();
  }
}
