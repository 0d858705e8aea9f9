/** Keeps this release off a store that a newer one needs for itself, and marks what this one needs. */
import { keys } from '../model/keys.ts';
import { neededSchema, refuseNewerStore } from '../model/schema-version.ts';
import type { Store } from '../store/contract.ts';

/** Throws `NewerStore`. */
export async function refuseNewer(store: Store): Promise<void> {
  refuseNewerStore((await store.get(keys.neededSchema()))?.value ?? null);
}

/** Servers alone mark: an agent writes its own host's keys. The mark only rises. */
export async function markNeeded(store: Store): Promise<void> {
  const key = keys.neededSchema();
  const present = await store.get(key);
  if (Number(present?.value ?? 0) >= neededSchema) return;
  const unchanged =
    present === null
      ? ({ key, is: 'absent' } as const)
      : ({ key, is: 'unchanged', modRevision: present.modRevision } as const);
  // Where another server was faster, it wrote the same or more.
  await store.txn([unchanged], [{ op: 'put', key, value: String(neededSchema) }]);
}
