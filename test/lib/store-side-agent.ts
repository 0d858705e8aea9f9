/**
 * A host without a switch: it follows the store, derives its flows and reports, as an agent does. It counts a flow as
 * installed once it is derived. For clouds of more hosts than this machine has room for switches.
 */
import { pino } from 'pino';
import { PluggedNeeds } from '../../src/agent/interest/plugged-needs.ts';
import { Topology } from '../../src/agent/interest/topology.ts';
import { Bindings } from '../../src/agent/report/bindings.ts';
import { HostLife } from '../../src/agent/report/host-life.ts';
import { hostRecordOf } from '../../src/agent/report/host-records.ts';
import { SyncTargets } from '../../src/agent/report/sync-targets.ts';
import { canonicalBody } from '../../src/openflow/index.ts';
import { Pipeline } from '../../src/pipeline/flow-derivation.ts';
import type { PortId } from '../../src/policy/world.ts';
import type { Store } from '../../src/store/contract.ts';
import { zone } from './keys.ts';
import { until } from './wait.ts';

export interface StoreSideOptions {
  readonly store: Store;
  readonly host: string;
  readonly plugged: readonly PortId[];
  /** Writes nothing to the store. */
  readonly isSilent?: boolean;
  /** A round has derived everything up to the revision. */
  readonly onRound?: (revision: number, changedFlows: number) => void;
}

const log = pino({ level: 'silent' });

export class StoreSideAgent {
  readonly pipeline = new Pipeline();
  readonly topology = new Topology(this.pipeline.facts, () => undefined);
  readonly #options: StoreSideOptions;
  readonly #life: HostLife;
  readonly #targets = new SyncTargets();
  readonly #bindings: Bindings;
  #needs: PluggedNeeds | null = null;
  #isDue = false;
  #stopped = false;
  #reporting: Promise<void> = Promise.resolve();

  constructor(options: StoreSideOptions) {
    this.#options = options;
    const { store, host, plugged } = options;
    const facts = { host, bridge: 'br-int' };
    this.#life = new HostLife({
      store,
      host,
      log,
      hostRecord: () => hostRecordOf(facts, 0, 'netdev'),
      bridgeRecord: () => undefined,
    });
    this.#bindings = new Bindings(store, this.topology, host, (port) => plugged.includes(port));
  }

  async start(): Promise<void> {
    const { store, isSilent } = this.#options;
    if (isSilent !== true) await this.#life.start();
    this.#needs = new PluggedNeeds({
      store,
      log,
      topology: this.topology,
      facts: this.pipeline.facts,
      readers: [this.#targets, this.#life],
      lingerTime: 60_000,
      onChange: () => this.#wake(),
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#needs?.close();
    await this.#reporting;
    await this.#life.stop().catch(() => undefined);
  }

  /** Another one that begins with nothing on the same store, once it has everything. It reports nothing. */
  async fresh(): Promise<StoreSideAgent> {
    const other = new StoreSideAgent({ ...this.#options, isSilent: true });
    await other.start();
    await until(() => other.isComplete && other.revision >= this.revision);
    return other;
  }

  /** The facts have everything that the plugged ports need. */
  get isComplete(): boolean {
    return this.#needs?.isComplete === true;
  }

  get revision(): number {
    return this.#needs?.revision ?? 0;
  }

  /** The flows as text, sorted. */
  get flows(): readonly string[] {
    const { desired } = this.pipeline;
    return [...desired.keys()]
      .map((key) => {
        const flow = desired.get(key);
        return `${key} ${flow === undefined ? 'none' : `${flow.cookie} ${canonicalBody(flow)}`}`;
      })
      .toSorted();
  }

  /** Changes that come together are one round. */
  #wake(): void {
    if (this.#isDue || this.#stopped) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      if (!this.#stopped) this.#round();
    });
  }

  #round(): void {
    const { plugged, onRound, isSilent } = this.#options;
    this.#needs?.follow(plugged, []);
    if (this.#needs?.wasComplete !== true) return;
    const { facts, desired } = this.pipeline;
    const networks = new Set(plugged.map((id) => this.topology.networkOf(id)));
    for (const [at, id] of plugged.entries()) {
      const network = this.topology.networkOf(id);
      if (network === undefined || !this.#needs.isReady(id)) facts.ofports.delete(id);
      else {
        facts.zones.set(network, zone([...networks].indexOf(network) + 1));
        facts.ofports.set(id, at + 1);
      }
    }
    this.pipeline.run();
    onRound?.(this.revision, desired.takeChanged().size);
    if (!this.isComplete || isSilent === true) return;
    const target = this.#targets.take();
    if (target !== null) this.#life.reached({ revision: target, cut_total: 0 });
    const locals = [...this.pipeline.relations.locals.entries()];
    const ready = new Set(locals.filter(([, { port }]) => port.adminUp).map(([id]) => id));
    this.#reporting = this.#reporting
      .then(() => this.#bindings.report(ready))
      .catch(() => void setTimeout(() => this.#wake(), 1000).unref());
  }
}
