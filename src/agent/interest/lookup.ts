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

/** `isKnown`: the store would have told of the record. */
export const lookupOf = <V>(value: V | undefined, isKnown: boolean): Lookup<V> => {
  if (value !== undefined) return { state: 'present', value };
  return isKnown ? absent : notFollowed;
};
