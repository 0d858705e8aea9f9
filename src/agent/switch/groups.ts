/**
 * The switch's groups: the pipeline has none, so whatever is there is somebody else's and is removed. The bridge is
 * ours.
 */
import { allGroups, type Session } from '../../openflow/index.ts';
import type { Drift } from './drift.ts';

/** Looks, and removes what it finds; flows of others that name a group go with it. */
export async function removeForeignGroups(session: Session, drift: Drift): Promise<void> {
  const found = await session.multipart({ kind: 'group_desc' }, 'group_desc');
  if (found.length === 0) return;
  drift.found('group', found.length, { groups: found.slice(0, 20).map(({ group }) => group) });
  await session.apply([
    { type: 'group_mod', command: 'delete', group: allGroups, groupType: 'all', buckets: [] },
  ]);
}
