/**
 * What the datapath under the bridge has to look through for a packet, read when somebody asks. A kernel datapath says it; of
 * the userspace one masks are counted in a dump, which holds up its packets, so only while that is short and not often.
 */
import { type Control, type DatapathStats, readDatapathStats, readMegaflowMasks } from '../../ovsdb/index.ts';

/** Megaflows up to which they are dumped to count their masks. */
const maxDumped = 1000;
/** Milliseconds between two dumps. */
const dumpInterval = 10_000;

export class DatapathLoad {
  readonly #control: Control;
  readonly #type: () => string | undefined;
  #counted: { readonly at: number; readonly masks: number } | null = null;

  constructor(control: Control, datapathType: () => string | undefined) {
    this.#control = control;
    this.#type = datapathType;
  }

  /** Null while the bridge is not there. */
  async read(): Promise<DatapathStats | null> {
    const type = this.#type();
    if (type === undefined) return null;
    const shown = await this.#control.showDatapath(type);
    const userspace = type === 'netdev';
    const threads = userspace ? await this.#control.call('dpif-netdev/pmd-stats-show') : '';
    const stats = readDatapathStats(shown, threads);
    if (!userspace || stats.masks !== null) return stats;
    return { ...stats, masks: await this.#count(type, stats.megaflows) };
  }

  /** The most that one port has: the userspace datapath keeps masks by port. */
  async #count(type: string, megaflows: number): Promise<number | null> {
    if (megaflows > maxDumped) return null;
    if (this.#counted === null || Date.now() - this.#counted.at > dumpInterval) {
      const { masksOfPort } = readMegaflowMasks(await this.#control.dumpDatapathFlows(type));
      this.#counted = { at: Date.now(), masks: Math.max(0, ...masksOfPort.values()) };
    }
    return this.#counted.masks;
  }
}
