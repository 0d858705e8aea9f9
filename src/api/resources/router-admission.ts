/** A policy for an external network cannot go while a router of the project has its gateway there by the policy. */

import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import type { RbacPolicyRecord } from '../../model/records.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import { accessAsExternal } from './external-networks.ts';

const lets = ({ action, target_tenant: target }: RbacPolicyRecord, project: string): boolean =>
  action === accessAsExternal && (target === '*' || target === project);

/** `policy` is removed or changed; `after` are the object's policies after that. */
export function keepGatewaysIn(
  change: Change,
  state: State,
  policy: RbacPolicyRecord,
  after: readonly RbacPolicyRecord[],
): void {
  const { object_id: network } = policy;
  if (policy.action !== accessAsExternal) return;
  for (const { record: port } of state.ports.by('network', network)) {
    for (const { record: router } of state.routers.by('port', port.id)) {
      const { project_id: project, gateway } = router;
      if (gateway !== port.id || !lets(policy, project)) continue;
      if (!after.some((one) => lets(one, project))) refuse({ code: 'ExternalPolicyInUse', network });
    }
  }
  change.requireQuiet(keys.port(network, ''));
}
