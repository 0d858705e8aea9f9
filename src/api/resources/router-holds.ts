/**
 * The ports of routers: their subnets, which subnets cannot be on one router, and what requests may not do to such ports.
 * The router's record lists its ports; a port's own `device_id` is no proof.
 */

import { refuse } from '../../model/faults.ts';
import type { PortRecord, SubnetRecord } from '../../model/records.ts';
import { isRouterPort, portsOfRouter, type RouterPlace, type RouterRecord } from '../../model/router.ts';
import { touched } from '../../model/standard-attributes.ts';
import { prefixOf } from '../../model/subnet.ts';
import { overlaps } from '../../net/cidr.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { Row } from '../state/table.ts';

export const badRouterRequest = (message: string): never => refuse({ code: 'BadRouterRequest', message });

export const rowsOf = (state: State, ids: readonly string[]): readonly Row<PortRecord>[] =>
  ids.flatMap((id) => state.ports.get(id) ?? []);

export const subnetsOfPort = (state: State, port: PortRecord): readonly SubnetRecord[] =>
  port.fixed_ips.flatMap((ip) => state.subnets.get(ip.subnet_id)?.record ?? []);

export function placeOf(state: State, ports: readonly Row<PortRecord>[]): RouterPlace {
  return {
    prefixes: ports.flatMap(({ record }) => subnetsOfPort(state, record).map(prefixOf)),
    addresses: ports.flatMap(({ record }) => record.fixed_ips.map((ip) => ip.ip_address)),
  };
}

/** Refuses subnets that the router is on already, or that overlap those where it is. */
export function refuseOverlap(state: State, router: RouterRecord, subnets: readonly SubnetRecord[]): void {
  const near: SubnetRecord[] = [];
  for (const { record: port } of rowsOf(state, portsOfRouter(router))) {
    const own = subnetsOfPort(state, port);
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

/** Refuses to delete a router's port, unless it has no addresses. */
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

/** A router's port cannot get another device, and no port can get another project's router as its device. */
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

/** A router's port with new addresses obeys the same rules as a new one. */
export function checkMove(change: Change, state: State, before: PortRecord, after: PortRecord): void {
  const held = new Set(before.fixed_ips.map((ip) => ip.subnet_id));
  const gained = subnetsOfPort(state, after).filter(({ id }) => !held.has(id));
  if (gained.length === 0) return;
  for (const row of state.routers.by('port', before.id)) {
    const { gateway, interfaces } = row.record;
    const others = interfaces.filter((id) => id !== before.id);
    refuseOverlap(
      state,
      { ...row.record, interfaces: others, gateway: gateway === before.id ? null : gateway },
      gained,
    );
    // A new port of the router would be a revision of it.
    change.requireUnchanged(row);
  }
}
