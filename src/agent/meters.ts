/**
 * Meters that bound what a guest can make the agent read. One a port, numbered from the port's key, so that it
 * is the same after a restart; two ports that meet in one number share its budget, which does no harm.
 * Meters cannot go into bundles: they are added before the flows that name them and removed after those.
 */
import { type MeterMod, meterFlags, type Session } from '../openflow/index.ts';

const highest = 60_000;
/** Packets a second, and how many at once. */
const budget = { rate: 5, burst: 10 } as const;
const flags = meterFlags.pktps | meterFlags.burst;

export const meterOf = (portKey: number): number => 1 + (portKey % highest);

export class Meters {
  #present: Set<number> | null = null;

  /** Forgets what the switch has. */
  forget(): void {
    this.#present = null;
  }

  /** Adds what is missing of `wanted`. */
  async add(session: Session, wanted: ReadonlySet<number>): Promise<void> {
    if (this.#present === null) {
      const configured = await session.multipart({ kind: 'meter_config' }, 'meter_config');
      this.#present = new Set(configured.map(({ meter }) => meter));
    }
    const missing = [...wanted].filter((meter) => this.#present?.has(meter) !== true);
    await this.#change(session, missing, 'add');
  }

  /** Removes all but `wanted`. Deleting a meter takes the flows that name it along, so those go first. */
  async prune(session: Session, wanted: ReadonlySet<number>): Promise<void> {
    await this.#change(
      session,
      [...(this.#present ?? [])].filter((meter) => !wanted.has(meter)),
      'delete',
    );
  }

  async #change(session: Session, meters: readonly number[], command: 'add' | 'delete'): Promise<void> {
    if (meters.length === 0) return;
    const bands = command === 'add' ? [{ kind: 'drop', ...budget } as const] : [];
    await session.meters(
      meters.map((meter): MeterMod => ({ type: 'meter_mod', command, meter, flags, bands })),
    );
    for (const meter of meters) {
      if (command === 'add') this.#present?.add(meter);
      else this.#present?.delete(meter);
    }
  }
}
