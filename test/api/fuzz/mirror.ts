/** The store's records, and the last request's changes of them, read without the server under test. */
import type { Store, StoreEvent, Subscription } from '../../../src/store/contract.ts';

export type Json = Readonly<Record<string, unknown>>;

export interface Held {
  readonly key: string;
  readonly text: string;
  /** Null for marks. */
  readonly record: Json | null;
}

export interface Changed {
  readonly key: string;
  readonly before: Held | null;
  readonly after: Held | null;
}

const heldAt = (key: string, text: string): Held => {
  try {
    const record: unknown = JSON.parse(text);
    return { key, text, record: typeof record === 'object' && record !== null ? (record as Json) : null };
  } catch {
    return { key, text, record: null };
  }
};

export class Mirror {
  readonly held = new Map<string, Held>();
  /** By the first part of their keys. */
  readonly #kinds = new Map<string, Map<string, Held>>();
  readonly #byId = new Map<string, string>();
  readonly #rules = new Map<string, string>();
  #changes = new Map<string, Held | null>();
  readonly #subscription: Subscription;

  private constructor(store: Store, onListed: () => void) {
    this.#subscription = store.subscribe([''], {
      onSnapshot: ({ entries }) => {
        for (const entry of entries) this.#apply({ type: 'put', entry });
        onListed();
      },
      onBatch: (batch) => {
        for (const event of batch.events) this.#apply(event);
      },
      onTrouble: (error) => {
        throw error;
      },
    });
  }

  /** Created before any server subscribes to the store, so that it receives every change first. */
  static async of(store: Store): Promise<Mirror> {
    const mirror = await new Promise<Mirror>((resolve) => {
      const made: Mirror = new Mirror(store, () => resolve(made));
    });
    mirror.takeChanges();
    return mirror;
  }

  /** Resolves when it has everything that the store has. */
  async catchUp(): Promise<void> {
    await this.#subscription.caughtUp();
  }

  #apply(event: StoreEvent): void {
    const key = event.type === 'put' ? event.entry.key : event.key;
    const before = this.held.get(key) ?? null;
    if (!this.#changes.has(key)) this.#changes.set(key, before);
    this.#forget(before);
    if (event.type === 'delete') {
      this.held.delete(key);
      this.#kindOf(key).delete(key);
    } else {
      const held = heldAt(key, event.entry.value);
      this.held.set(key, held);
      this.#kindOf(key).set(key, held);
      this.#remember(held);
    }
  }

  #remember({ key, record }: Held): void {
    if (typeof record?.['id'] === 'string') this.#byId.set(record['id'], key);
    for (const id of idsWithin(record)) this.#rules.set(id, key);
  }

  #forget(held: Held | null): void {
    if (typeof held?.record?.['id'] === 'string') this.#byId.delete(held.record['id']);
    for (const id of idsWithin(held?.record ?? null)) this.#rules.delete(id);
  }

  byId(id: string): Held | undefined {
    const key = this.#byId.get(id) ?? this.#rules.get(id);
    return key === undefined ? undefined : this.held.get(key);
  }

  /** What lies under a prefix, which begins with a whole first part. */
  under(prefix: string): readonly Held[] {
    const kind = this.#kinds.get(prefix.slice(0, prefix.indexOf('/')));
    return kind === undefined ? [] : [...kind.values()].filter(({ key }) => key.startsWith(prefix));
  }

  #kindOf(key: string): Map<string, Held> {
    const name = key.slice(0, Math.max(0, key.indexOf('/')));
    let kind = this.#kinds.get(name);
    if (kind === undefined) this.#kinds.set(name, (kind = new Map()));
    return kind;
  }

  /** Since the last time. */
  takeChanges(): readonly Changed[] {
    const changes = [...this.#changes].map(([key, before]) => ({
      key,
      before,
      after: this.held.get(key) ?? null,
    }));
    this.#changes = new Map();
    return changes;
  }

  close(): void {
    this.#subscription.close();
  }
}

/** Things with ids of their own inside a record: rules of QoS policies. */
function idsWithin(record: Json | null): readonly string[] {
  const rules = record?.['rules'];
  return Array.isArray(rules) ? rules.map((rule: Json) => String(rule['id'])) : [];
}
