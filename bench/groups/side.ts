/**
 * The interface of both controllers for the bench: a database that receives the members, and a switch that
 * follows it. The same measurements run on both.
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
  /** CPU seconds of all processes between the database's change and the switch. */
  cpu(): number;
}
