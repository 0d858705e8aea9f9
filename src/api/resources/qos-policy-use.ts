/**
 * The QoS policy of a port or network: the requested policy must exist, and each use has a mark, so that the removal of the
 * policy notices it.
 */
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import { qosPolicyIdOf } from '../../model/qos-policy.ts';
import { seenPlace } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import { admit } from './admission.ts';

interface User {
  readonly id: string;
  readonly qos_policy_id?: string | null;
}

/**
 * Refuses a new policy that the caller may not use. Refuses the removal of a policy that the caller does not see, so that
 * limits of operators stay. `before` is null for a new user.
 */
export function admitNewQosPolicy(
  change: Change,
  state: State,
  caller: Caller,
  before: User | null,
  after: Pick<User, 'qos_policy_id'>,
): void {
  const id = after.qos_policy_id ?? null;
  const old = qosPolicyIdOf(before);
  if (id === old) return;
  if (old !== null && seenPlace(state, caller, 'qos_policy', old) === undefined)
    refuse({ code: 'PolicyRemoveAuthorizationError', policy: old });
  if (id !== null) admit(change, state, caller, 'qos_policy', id);
}

/** The policy that new networks of the project get, if there is one. */
export function defaultQosPolicy(state: State, project: string): string | null {
  const [row] = state.qosPolicies.by('default', project);
  return row?.record.id ?? null;
}

/** Writes the mark of the present use and removes that of the use before; null: no user. */
export function writeQosPolicyUse(change: Change, before: User | null, after: User | null): void {
  const [old, now] = [qosPolicyIdOf(before), qosPolicyIdOf(after)];
  if (old === now) return;
  const user = after?.id ?? before?.id ?? '';
  if (old !== null) change.remove(keys.qosPolicyUse(old, user));
  if (now === null) return;
  change.requirePresent(keys.qosPolicy(now));
  change.put(keys.qosPolicyUse(now, user), '');
}
