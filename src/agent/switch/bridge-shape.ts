/**
 * Keeps the bridge in the shape that flows rely on, as far as the switch's database says it: there, secure, speaking
 * OpenFlow 1.5, and with no controller of its own. Writes to the database; knows no flows.
 *
 * A bridge whose fail mode or controllers change loses all flows, also when they are put back. So the owner
 * of the flows gets each such change once the switch has acted on it.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../../base/errors.ts';
import {
  bridgeDifferences,
  type DatabaseUpdate,
  datapathTypeOf,
  ensureBridge,
  findByName,
  type Ovsdb,
  type OvsdbRow,
  type RowChange,
} from '../../ovsdb/index.ts';
import type { Drift, DriftKind } from './drift.ts';
import { Pacer } from './pacer.ts';

export interface BridgeShapeOptions {
  readonly ovsdb: () => Ovsdb;
  readonly bridge: string;
  /** For a bridge that has to be made; an existing one keeps its own. */
  readonly datapathType: string;
  readonly log: Logger;
  readonly drift: Drift;
  /** Flows may have gone with a change of the bridge's shape, which the switch has acted on. */
  readonly onReshaped: () => void;
}

const kinds = {
  datapath_type: 'datapath',
  fail_mode: 'fail-mode',
  controller: 'controller',
  protocols: 'protocols',
} as const satisfies Record<string, DriftKind>;
type ShapeColumn = keyof typeof kinds;
const columns = Object.keys(kinds) as readonly ShapeColumn[];

/** Milliseconds that a missing bridge is left to the operator, who may be about to make it again. */
const bridgeGrace = 1000;

export class BridgeShape {
  readonly #options: BridgeShapeOptions;
  readonly #pacer = new Pacer(() => void this.#correct());
  #synced = false;
  /** Corrections and changes that the switch may not have acted on. */
  #pending = 0;
  #correcting = false;
  #closed = false;

  constructor(options: BridgeShapeOptions) {
    this.#options = options;
  }

  /** The bridge's row; undefined while there is none. */
  get row() {
    return findByName(this.#options.ovsdb(), 'Bridge', this.#options.bridge)?.row;
  }

  get #spec() {
    const { bridge: name } = this.#options;
    return { name, failMode: 'secure', controllers: 'none', protocols: ['OpenFlow15'] } as const;
  }

  get #differing(): readonly ShapeColumn[] {
    const { row } = this;
    if (row === undefined) return [];
    const differences = bridgeDifferences(row, this.#spec);
    return columns.filter((column) => differences[column] !== undefined);
  }

  /** The bridge has its shape, and the switch has acted on all changes of it that were seen. */
  get kept(): boolean {
    return this.#pending === 0 && this.row !== undefined && this.#differing.length === 0;
  }

  /** The database has been read. */
  synced(): void {
    const first = !this.#synced;
    this.#synced = true;
    if (first) this.#compareDatapath();
    this.#check(first ? 0 : bridgeGrace);
  }

  /** Ports and connections would not survive another datapath, so that is the operator's to choose. */
  #compareDatapath(): void {
    const { bridge, datapathType: wanted, log } = this.#options;
    const datapath = this.row?.datapath_type;
    if (datapath !== undefined && datapathTypeOf(datapath) !== wanted)
      log.warn({ bridge, datapath, wanted }, 'the bridge keeps its datapath type');
  }

  updated(batch: DatabaseUpdate): void {
    if (!this.#synced) return;
    for (const change of batch.Bridge) if (!this.#correcting) this.#notice(change);
    this.#check(bridgeGrace);
  }

  close(): void {
    this.#closed = true;
    this.#pacer.cancel();
  }

  /** What somebody else changed of a bridge that was there before. */
  #notice({ old, row }: RowChange<'Bridge'>): void {
    if (old === null || row === null || row.name !== this.#options.bridge) return;
    const changed = columns.filter((column) => String(old[column]) !== String(row[column]));
    if (changed.length === 0) return;
    const differing = this.#differing;
    for (const column of changed)
      if (differing.includes(column) || column === 'datapath_type')
        this.#options.drift.found(kinds[column], 1, { bridge: row.name, value: this.#valueOf(row, column) });
    if (differing.length === 0) void this.#reshape();
  }

  #valueOf(row: OvsdbRow<'Bridge'>, column: ShapeColumn): unknown {
    if (column !== 'controller') return row[column];
    const controllers = this.#options.ovsdb().rows('Controller');
    return row.controller.map((uuid) => controllers.get(uuid)?.target);
  }

  /** Resolves when the switch has acted on all that the database says now. */
  async #reshape(): Promise<void> {
    const { ovsdb, bridge, log, onReshaped } = this.#options;
    this.#pending++;
    try {
      await ovsdb().applied();
    } catch (error) {
      log.warn({ bridge, error: reasonOf(error) }, 'switch does not confirm a change of the bridge');
    } finally {
      this.#pending--;
      onReshaped();
    }
  }

  #check(grace: number): void {
    if (this.#closed || this.#correcting) return;
    const missing = this.row === undefined;
    if (missing || this.#differing.length > 0) this.#pacer.request(missing ? grace : 0);
    else this.#pacer.cancel();
  }

  async #correct(): Promise<void> {
    if (this.#closed || this.#correcting) return;
    const { ovsdb, bridge, datapathType, log } = this.#options;
    const database = ovsdb();
    const existing = this.row !== undefined;
    const spec = existing ? this.#spec : { ...this.#spec, datapathType };
    this.#correcting = true;
    try {
      await database.transact(ensureBridge(database, spec));
      log.info({ bridge }, existing ? 'corrected the bridge' : 'made the bridge');
    } catch (error) {
      log.warn({ bridge, error: reasonOf(error) }, 'failed to correct the bridge');
    } finally {
      this.#correcting = false;
      this.#pacer.corrected();
    }
    if (existing) await this.#reshape();
    this.#check(bridgeGrace);
  }
}
