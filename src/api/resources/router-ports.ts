/** Creates and deletes ports of routers. The caller writes the router's record. */

import { draftForCreate } from '../../model/attribute.ts';
import type { FixedIpDraft } from '../../model/fixed-ips.ts';
import { portAttributes } from '../../model/port.ts';
import type { PortRecord } from '../../model/records.ts';
import type { RouterRecord } from '../../model/router.ts';
import type { Context } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { removePortRecord } from './port-writes.ts';
import { Ports } from './ports.ts';

export interface RouterPortDraft {
  readonly router: RouterRecord;
  readonly owner: string;
  readonly network: string;
  /** Absent: any. */
  readonly fixed_ips?: readonly FixedIpDraft[];
  /** Gateways are nobody's. */
  readonly project: string;
}

/** Creates a port for the router. As in Neutron, it counts for the quota and is not refused by it. */
export function makeRouterPort(
  change: Change,
  context: Context,
  caller: Caller,
  { router, owner, network, fixed_ips: addresses, project }: RouterPortDraft,
): PortRecord {
  const draft = draftForCreate(portAttributes, 'port', {
    network_id: network,
    device_id: router.id,
    device_owner: owner,
    ...(addresses === undefined ? {} : { fixed_ips: addresses }),
  });
  const birth = { id: context.newId(), project, now: change.now };
  return new Ports(context).createOne(change, draft, birth, caller);
}

export function dropRouterPort(change: Change, context: Context, row: Row<PortRecord>): void {
  change.replace(row);
  removePortRecord(change, context, row.record);
}
