/**
 * Gives numbers to records of release 0.1, which had none, when a server starts. A port gets the key that connection
 * records on running switches name it by, so that no connection is cut (model/numbers.ts).
 *
 * Invariants:
 * - A record and its mark are written in one transaction, so a crash leaves whole records only.
 * - A second run changes nothing.
 * - Release 0.1 may run on the store again in between: marks that its deletions leave behind are removed.
 */
import { keys } from '../../model/keys.ts';
import { isNetworkKey, isPortKey } from '../../model/numbers.ts';
import type { Context } from '../http/resource.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import { allocateNetworkKey, allocatePortKey } from './number-allocation.ts';
import { segmentMark } from './segment-allocation.ts';

/** Each takes two writes, and a store may bound what one transaction can hold. */
const maxRecords = 50;

/** Resolves when every network and port has its number. */
export async function migrateNumbers({ committer, view }: Context): Promise<void> {
  let migrated: number;
  do migrated = await committer.commit((change) => migrateSome(change, view.state));
  while (migrated > 0);
}

/** How many records this change brings up to date; 0 when none is left. */
function migrateSome(change: Change, state: State): number {
  let migrated = 0;
  for (const step of stepsFor(change, state)) {
    step();
    if (++migrated === maxRecords) break;
  }
  return migrated;
}

function* stepsFor(change: Change, state: State): Generator<() => void> {
  for (const row of state.networks.all()) {
    const { key, record } = row;
    if (isNetworkKey(record.vni)) continue;
    yield () => {
      change.replace(row);
      change.put(key, { ...record, vni: allocateNetworkKey(change, state, record.id) });
    };
  }
  for (const row of state.ports.all()) {
    const { key, record } = row;
    if (isPortKey(record.key)) continue;
    yield () => {
      change.replace(row);
      change.put(key, { ...record, key: allocatePortKey(change, state, record) });
    };
  }
  for (const [mark, owner] of state.takenSegments.entries())
    if (segmentMark(state.networks.get(owner)?.record.provider) !== mark)
      yield () => {
        change.requireQuiet(mark);
        change.remove(mark);
      };
  for (const [mark, owner] of state.claimedNumbers.entries())
    if (!isNamed(state, mark, owner))
      yield () => {
        change.requireQuiet(mark);
        change.remove(mark);
      };
}

/** Whether the record still has the number. */
function isNamed(state: State, mark: string, owner: string): boolean {
  const network = state.networks.get(owner)?.record;
  if (network !== undefined) return keys.networkKey(String(network.vni)) === mark;
  const port = state.ports.get(owner)?.record;
  return port !== undefined && keys.portKey(port.network_id, String(port.key)) === mark;
}
