/** The entry of this floor: opens the store that the configuration names. */
import type { Store } from './contract.ts';
import type { EtcdOptions } from './etcd/etcd-store.ts';
import { MemoryStore } from './memory.ts';

export type StoreChoice =
  | { readonly kind: 'embedded'; readonly dir: string }
  | { readonly kind: 'memory' }
  | ({ readonly kind: 'etcd' } & EtcdOptions);

/** Throws `StoreLocked`, `StoreCorrupt` or `StoreUnavailable`. */
export async function openStore(choice: StoreChoice): Promise<Store> {
  if (choice.kind === 'memory') return new MemoryStore();
  // Only the chosen one is loaded: gRPC and LMDB take time and memory.
  if (choice.kind === 'embedded') {
    const { EmbeddedStore } = await import('./embedded.ts');
    return EmbeddedStore.open(choice.dir);
  }
  const { EtcdStore } = await import('./etcd/etcd-store.ts');
  return EtcdStore.open(choice);
}
