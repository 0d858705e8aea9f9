/**
 * What ports' own requests may not do to ports that routers hold. Apart from router-ports.ts, which makes ports and so
 * builds on what this serves.
 */

import { refuse } from '../../model/faults.ts';
import type { PortRecord } from '../../model/records.ts';
import { touched } from '../../model/standard-attributes.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import { isRouterPort } from './port-writes.ts';

/** Refuses to remove what a router needs; a port without addresses is let go of. */
export function releaseFromRouter(change: Change, state: State, port: PortRecord): void {
  for (const row of state.routers.by('port', port.id)) {
    const router = row.record;
    if (port.fixed_ips.length > 0)
      refuse({ code: 'ServicePortInUse', port: port.id, owner: port.device_owner });
    change.replace(row);
    const rest = router.interfaces.filter((id) => id !== port.id);
    const gateway = router.gateway === port.id ? null : router.gateway;
    change.put(row.key, touched({ ...router, interfaces: rest, gateway }, change.now));
  }
}

/** What a router holds does not become another device's; what is another project's router is nobody else's device. */
export function checkDevice(
  state: State,
  caller: Caller,
  before: PortRecord | null,
  after: Pick<PortRecord, 'device_id' | 'device_owner' | 'project_id'>,
): void {
  const same = before?.device_id === after.device_id && before.device_owner === after.device_owner;
  if (same) return;
  if (before !== null)
    for (const { record } of state.routers.by('port', before.id))
      refuse({ code: 'RouterPortKept', port: before.id, router: record.id });
  const router = isRouterPort(after) ? state.routers.get(after.device_id)?.record : undefined;
  if (router !== undefined && !caller.admin && router.project_id !== after.project_id)
    refuse({ code: 'DeviceIDNotOwnedByTenant', device: after.device_id });
}
