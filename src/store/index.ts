/** The entry of this floor: opens the store that the configuration names. */
import type { Store } from './contract.ts';
import { EmbeddedStore } from './embedded.ts';
import { MemoryStore } from './memory.ts';

export type StoreChoice = { readonly kind: 'embedded'; readonly dir: string } | { readonly kind: 'memory' };

/** Throws `StoreLocked`, `StoreCorrupt` or `StoreUnavailable`. */
export async function openStore(choice: StoreChoice): Promise<Store> {
  if (choice.kind === 'memory') return new MemoryStore();
  return EmbeddedStore.open(choice.dir);
}
