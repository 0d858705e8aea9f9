/**
 * What the two controllers have in common for the bench: a database that is told who is a member, and a switch of
 * their own that has to follow. The same measurements run on both.
 */
import type { Switch } from '../../test/lib/switch.ts';
import type { GroupPort } from './world.ts';

export interface Side extends AsyncDisposable {
  readonly peer: 'portcullis' | 'ovn';
  readonly at: Switch;
  /** One transaction; resolves when the database has acknowledged it. */
  setMembers(members: readonly GroupPort[], belong: boolean): Promise<void>;
  /** OpenFlow flows of the bridge now. */
  flows(): Promise<number>;
  /** CPU seconds of all processes on the way from the database's change to the switch. */
  cpu(): number;
}
