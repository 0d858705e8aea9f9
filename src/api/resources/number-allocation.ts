/**
 * Gives networks and ports their keys. Each transaction requires that the key's mark is absent. When two servers choose the
 * same key, one loses the race and chooses again.
 */
import { bug } from '../../base/errors.ts';
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import { type NetworkKey, networkKeysFor, type PortKey, portKeysFor } from '../../model/numbers.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';

interface Allocation<N extends number> {
  /** The best first. */
  readonly candidates: Iterable<N>;
  readonly markOf: (number: N) => string;
  /** The id of the record. */
  readonly owner: string;
}

/** Null when every candidate is claimed, by `isFree` or by another request. */
export function allocate<N extends number>(
  change: Change,
  isFree: (mark: string) => boolean,
  { candidates, markOf, owner }: Allocation<N>,
): N | null {
  for (const number of candidates) {
    const mark = markOf(number);
    if (!isFree(mark) || change.standing(mark) !== 'free') continue;
    change.claim(mark);
    change.requireAbsent(mark);
    change.put(mark, owner);
    return number;
  }
  return null;
}

/** Throws `NoNetworkAvailable` when all VNIs are in use. */
export function allocateNetworkKey(change: Change, state: State, id: string): NetworkKey {
  const markOf = (key: NetworkKey): string => keys.networkKey(String(key));
  const { claimedNumbers } = state;
  const isFree = (mark: string): boolean => claimedNumbers.isFree(mark);
  const key = allocate(change, isFree, { candidates: networkKeysFor(id), markOf, owner: id });
  return key ?? refuse({ code: 'NoNetworkAvailable' });
}

export function allocatePortKey(
  change: Change,
  state: State,
  port: { readonly id: string; readonly network_id: string },
): PortKey {
  const markOf = (key: PortKey): string => keys.portKey(port.network_id, String(key));
  const { claimedNumbers } = state;
  const isFree = (mark: string): boolean => claimedNumbers.isFree(mark);
  const key = allocate(change, isFree, { candidates: portKeysFor(port.id), markOf, owner: port.id });
  return key ?? bug('a network has four billion ports');
}
