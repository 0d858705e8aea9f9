/**
 * The revision that servers wait for (`sync`): that of the last write of the target's key. The subscription delivers it
 * after everything that was written before, so a round that begins with a target has all of it.
 *
 * Invariant: a target is answered only after a round that had taken it. One target stands for all earlier ones.
 */
import { keys } from '../../model/keys.ts';
import type { Batch, Entry, Snapshot } from '../../store/contract.ts';
import type { StoreReader } from '../interest/following.ts';

export class SyncTargets implements StoreReader {
  readonly prefixes = [keys.syncTarget()];
  /** The target that no round has taken; null for none. */
  #open: number | null = null;

  /** A listing brings the last target, which may have come while the store was away. */
  reset({ entries }: Snapshot): void {
    for (const entry of entries) this.#hear(entry);
  }

  apply({ events }: Batch): boolean {
    let isNew = false;
    for (const event of events) if (event.type === 'put') isNew = this.#hear(event.entry) || isNew;
    return isNew;
  }

  /** Hand it to `restore` when the round cannot answer it. */
  take(): number | null {
    const taken = this.#open;
    this.#open = null;
    return taken;
  }

  restore(target: number | null): void {
    if (target !== null) this.#open = Math.max(target, this.#open ?? 0);
  }

  #hear({ key, modRevision }: Entry): boolean {
    if (key !== keys.syncTarget()) return false;
    this.#open = Math.max(modRevision, this.#open ?? 0);
    return true;
  }
}
