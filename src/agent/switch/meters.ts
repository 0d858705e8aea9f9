/**
 * Keeps the switch's meters equal to a desired set. Adds missing meters and changes differing ones in place. Removes others
 * once no flow names them, since the switch deletes a meter's flows with it.
 * Meters cannot go into bundles, so `put` comes before one and `prune` after it. Meters that nobody here made are
 * removed too: the bridge is ours. Knows nothing of what a meter is for.
 */
import { Fault } from '../../base/errors.ts';
import { type MeterBand, type MeterMod, meterFlags, type Session } from '../../openflow/index.ts';

/** A token bucket for all packets that pass it. */
export interface Meter {
  readonly unit: 'kbps' | 'pktps';
  /** Kilobits or packets, a second and at once. */
  readonly rate: number;
  readonly burst: number;
}

const flagsOf = ({ unit }: Meter): number => meterFlags[unit] | meterFlags.burst;
const bandOf = ({ rate, burst }: Meter): MeterBand => ({ kind: 'drop', rate, burst });

const print = (flags: number, bands: readonly MeterBand[]): string =>
  `${flags & ~meterFlags.stats}|${bands.map((band) => (band.kind === 'raw' ? '?' : `${band.kind} ${band.rate} ${band.burst}`)).join()}`;
const printOf = (meter: Meter): string => print(flagsOf(meter), [bandOf(meter)]);

type Present = Map<number, string>;

/** What meters the switch has; null where it knows of none. */
export async function readMeters(session: Session): Promise<Present | null> {
  try {
    const configured = await session.multipart({ kind: 'meter_config' }, 'meter_config');
    return new Map(configured.map(({ meter, flags, bands }) => [meter, print(flags, bands)]));
  } catch (error) {
    if (error instanceof Fault && error.name === 'Refused') return null;
    throw error;
  }
}

export class Meters {
  /** What the switch has, by number; null while that is not known. */
  #present: Present | null = null;

  /** Forgets what the switch has. */
  forget(): void {
    this.#present = null;
  }

  /** What the switch has, as somebody read it. */
  know(present: Present | null): void {
    this.#present = present;
  }

  has(meter: number): boolean {
    return this.#present?.has(meter) === true;
  }

  /** Adds and changes until the switch has what is wanted; gives the numbers of those that it refused. */
  async put(session: Session, wanted: ReadonlyMap<number, Meter>): Promise<ReadonlySet<number>> {
    const mods = (present: ReadonlyMap<number, string>): MeterMod[] =>
      [...wanted]
        .filter(([id, meter]) => present.get(id) !== printOf(meter))
        .map(([id, meter]) => ({
          type: 'meter_mod',
          command: present.has(id) ? 'modify' : 'add',
          meter: id,
          flags: flagsOf(meter),
          bands: [bandOf(meter)],
        }));
    const present = await this.#read(session);
    const missing = mods(present);
    if (missing.length === 0) return new Set();
    this.forget();
    try {
      await session.meters(missing);
    } catch (error) {
      if (!(error instanceof Fault && error.name === 'Refused')) throw error;
      // Only the first refusal is reported, and the other messages were applied, so the meters are read.
      return new Set(mods(await this.#read(session)).map(({ meter }) => meter));
    }
    for (const { meter, flags, bands } of missing) present.set(meter, print(flags, bands));
    this.#present = present;
    return new Set();
  }

  /** Removes all but `wanted`; gives how many that were. */
  async prune(session: Session, wanted: { has(meter: number): boolean }): Promise<number> {
    const present = await this.#read(session);
    const unwanted = [...present.keys()].filter((meter) => !wanted.has(meter));
    if (unwanted.length === 0) return 0;
    this.forget();
    await session.meters(
      unwanted.map((meter) => ({ type: 'meter_mod', command: 'delete', meter, flags: 0, bands: [] })),
    );
    for (const meter of unwanted) present.delete(meter);
    this.#present = present;
    return unwanted.length;
  }

  /** Reads what the switch has; gives the numbers of those that are not as they were left, if that was known. */
  async look(session: Session): Promise<readonly number[]> {
    const before = this.#present;
    this.forget();
    const now = await this.#read(session);
    if (before === null) return [];
    const numbers = new Set([...before.keys(), ...now.keys()]);
    return [...numbers].filter((meter) => before.get(meter) !== now.get(meter));
  }

  async #read(session: Session): Promise<Present> {
    this.#present ??= (await readMeters(session)) ?? new Map();
    return this.#present;
  }
}
