/**
 * The pipeline's own share, without store or switch: the topology and the pipeline in this process, with the
 * world's records as input. It times the agent's work between a batch of the store and the bundle to the
 * switch: records are read, relations derived, changed flows looked up, tightened networks marked.
 */

import { Topology } from '../../src/agent/interest/topology.ts';
import { Pipeline } from '../../src/pipeline/flow-derivation.ts';
import { maxMeterSpread } from '../../src/pipeline/shared-meters.ts';
import type { ChangedFlow } from '../../src/pipeline/tightening/losses.ts';
import type { Zone } from '../../src/pipeline/zone.ts';
import type { NetworkId, PortId } from '../../src/policy/world.ts';
import type { Entry, Write } from '../../src/store/contract.ts';
import { memberWrite, network, worldWrites } from './records.ts';
import type { GroupPort, GroupWorld } from './world.ts';

export interface Compiled {
  readonly milliseconds: number;
  /** Flows that changed, or may have changed. */
  readonly flows: number;
  readonly derivations: number;
}

function entryOf(write: Write): Entry[] {
  return write.op === 'put'
    ? [{ key: write.key, value: write.value, modRevision: 1, createRevision: 1 }]
    : [];
}

export class Compiler {
  readonly #pipeline: Pipeline;
  readonly #topology: Topology;
  readonly #world: GroupWorld;

  constructor(world: GroupWorld) {
    this.#world = world;
    const pipeline = new Pipeline({ abilities: { answersNd: true, meterSpread: maxMeterSpread } });
    this.#pipeline = pipeline;
    this.#topology = new Topology(pipeline.facts, (key) => {
      throw new Error(`unreadable: ${key}`);
    });
  }

  /** The whole world at once. */
  fromScratch(): Compiled {
    const entries = worldWrites(this.#world).flatMap(entryOf);
    return this.#timed(() => {
      this.#pipeline.tightening.markAll();
      this.#topology.reset({ revision: 1, entries });
      this.#pipeline.facts.zones.set(network as NetworkId, 1 as Zone);
      for (const [n, { id }] of this.#world.locals.entries())
        this.#pipeline.facts.ofports.set(id as PortId, n + 1);
    });
  }

  change(member: GroupPort, belongs: boolean): Compiled {
    const events = entryOf(memberWrite(member, belongs)).map((entry) => ({ type: 'put', entry }) as const);
    return this.#timed(() => this.#topology.apply({ revision: 2, events }));
  }

  #timed(feed: () => void): Compiled {
    const { desired, tightening } = this.#pipeline;
    tightening.take();
    const before = this.#derivations();
    const begin = performance.now();
    feed();
    this.#pipeline.run();
    const changed = desired.takeChanged();
    const changes: ChangedFlow[] = [];
    for (const [key, before] of changed) changes.push({ key, before, after: desired.get(key) ?? null });
    tightening.note(changes);
    const milliseconds = performance.now() - begin;
    return { milliseconds, flows: changed.size, derivations: this.#derivations() - before };
  }

  #derivations(): number {
    return [...this.#pipeline.derivations.values()].reduce((sum, count) => sum + count, 0);
  }
}
