/**
 * The ports that routers hold: where they are, what may not meet on one router, and how ports are made, kept and let
 * go. The router's record says which ports are its own; a port that only claims to be is not.
 */

import { draftForCreate } from '../../model/attribute.ts';
import { refuse } from '../../model/faults.ts';
import { type FixedIpDraft, type PortDraft, portAttributes } from '../../model/port.ts';
import type { PortRecord, SubnetRecord } from '../../model/records.ts';
import { type Place, portsOf, type RouterRecord } from '../../model/router.ts';
import { prefixOf } from '../../model/subnet.ts';
import { overlaps } from '../../net/cidr.ts';
import type { Context } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { Row } from '../state/table.ts';
import { removePort } from './port-writes.ts';
import { Ports } from './ports.ts';

export const badRouterRequest = (message: string): never => refuse({ code: 'BadRouterRequest', message });

export const rowsOf = (state: State, ids: readonly string[]): readonly Row<PortRecord>[] =>
  ids.flatMap((id) => state.ports.get(id) ?? []);

export const subnetsOf = (state: State, port: PortRecord): readonly SubnetRecord[] =>
  port.fixed_ips.flatMap((ip) => state.subnets.get(ip.subnet_id)?.record ?? []);

export function placeOf(state: State, ports: readonly Row<PortRecord>[]): Place {
  return {
    prefixes: ports.flatMap(({ record }) => subnetsOf(state, record).map(prefixOf)),
    addresses: ports.flatMap(({ record }) => record.fixed_ips.map((ip) => ip.ip_address)),
  };
}

/** Refuses subnets that the router is on already, or that overlap those where it is. */
export function refuseOverlap(state: State, router: RouterRecord, subnets: readonly SubnetRecord[]): void {
  const near: SubnetRecord[] = [];
  for (const { record: port } of rowsOf(state, portsOf(router))) {
    const own = subnetsOf(state, port);
    const twice = own.find(({ id }) => subnets.some((subnet) => subnet.id === id));
    if (twice !== undefined) badRouterRequest(`Router already has a port on subnet ${twice.id}`);
    // Everything on the gateway's network is a step away.
    const network = port.id === router.gateway ? state.subnets.by('network', port.network_id) : [];
    near.push(...own, ...[...network].map((row) => row.record));
  }
  for (const subnet of subnets) {
    for (const other of near) {
      if (!overlaps(prefixOf(subnet), prefixOf(other))) continue;
      badRouterRequest(
        `Cidr ${subnet.cidr} of subnet ${subnet.id} overlaps with cidr ${other.cidr} of subnet ${other.id}`,
      );
    }
  }
}

export interface RouterPortDraft {
  readonly router: RouterRecord;
  readonly owner: string;
  readonly network: string;
  /** Absent: any. */
  readonly fixed_ips?: readonly FixedIpDraft[];
  /** Gateways are nobody's. */
  readonly project: string;
}

/** Makes a port for the router. What it takes of its project's quota is counted and not refused, as in Neutron. */
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
  return new Ports(context).createOne(change, draft as unknown as PortDraft, project, caller);
}

export function dropRouterPort(change: Change, context: Context, row: Row<PortRecord>): void {
  change.replace(row);
  removePort(change, context, row.record);
}
