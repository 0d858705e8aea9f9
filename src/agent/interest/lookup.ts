/**
 * What is known of a record in the store. "Absent" means that the store has none. "Not followed" means that this host
 * does not know: nothing may be withdrawn, given back, forgotten or cut for it.
 */
export type Lookup<V> =
  | { readonly state: 'present'; readonly value: V }
  | { readonly state: 'absent' }
  | { readonly state: 'not-followed' };

const absent: Lookup<never> = { state: 'absent' };
const notFollowed: Lookup<never> = { state: 'not-followed' };

/** Whether all keys under a prefix are known. */
export type Follows = (prefix: string) => boolean;

/** The prefixes of the store that have been listed and are followed since. */
export class Followed {
  readonly #prefixes = new Set<string>();

  add(prefixes: readonly string[]): void {
    for (const prefix of prefixes) this.#prefixes.add(prefix);
  }

  covers(prefix: string): boolean {
    for (const followed of this.#prefixes) if (prefix.startsWith(followed)) return true;
    return false;
  }

  /** `prefix` is where the record would be. */
  lookup<V>(value: V | undefined, prefix: string): Lookup<V> {
    if (value !== undefined) return { state: 'present', value };
    return this.covers(prefix) ? absent : notFollowed;
  }
}
