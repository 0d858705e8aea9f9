/** The gateway of a router: its port on an external network, created, changed and deleted by requests for the router. */

import type { FixedIpDraft } from '../../model/fixed-ips.ts';
import { keys } from '../../model/keys.ts';
import type { PortRecord } from '../../model/records.ts';
import {
  checkRoutes,
  type GatewayDraft,
  gatewayOwner,
  type RouterPlace,
  type RouterRecord,
} from '../../model/router.ts';
import { touched } from '../../model/standard-attributes.ts';
import { prefixOf } from '../../model/subnet.ts';
import type { Context } from '../http/resource.ts';
import { requireSeen } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { Row } from '../state/table.ts';
import { isExternal } from './external-networks.ts';
import { PortAddresses } from './port-addresses.ts';
import { writePort } from './port-writes.ts';
import { badRouterRequest, placeOf, refuseOverlap, rowsOf } from './router-holds.ts';
import { dropRouterPort, makeRouterPort } from './router-ports.ts';

export const gatewayRowOf = (state: State, router: RouterRecord): Row<PortRecord> | undefined =>
  router.gateway === null ? undefined : state.ports.get(router.gateway);

/** What readers see of it. */
export function shownGateway(state: State, router: RouterRecord): Record<string, unknown> | null {
  const port = gatewayRowOf(state, router)?.record;
  if (port === undefined) return null;
  return {
    network_id: port.network_id,
    external_fixed_ips: port.fixed_ips,
    enable_snat: router.enable_snat,
  };
}

/** Whether the gateway has other addresses than those that the request names. */
function movesTo(port: PortRecord, wanted: readonly FixedIpDraft[]): boolean {
  const other = (held: readonly string[], named: readonly (string | undefined)[]): boolean => {
    const texts = new Set(named.filter((name) => name !== undefined));
    return texts.size !== new Set(held).size || held.some((text) => !texts.has(text));
  };
  if (wanted.length === 0) return false;
  return (
    other(
      port.fixed_ips.map((ip) => ip.subnet_id),
      wanted.map((ip) => ip.subnet_id),
    ) ||
    other(
      port.fixed_ips.map((ip) => ip.ip_address),
      wanted.map((ip) => ip.ip_address),
    )
  );
}

/** Makes it a condition that the network exists and is external. */
function admitNetwork(change: Change, state: State, caller: Caller, id: string): void {
  requireSeen(state, caller, 'network', id);
  const network = state.networks.get(id);
  if (network === undefined || !isExternal(network.record))
    return badRouterRequest(`Network ${id} is not an external network`);
  change.requireUnchanged(network);
}

function refuseGatewaysAddress(state: State, network: string, wanted: readonly FixedIpDraft[]): void {
  for (const { record } of state.subnets.by('network', network)) {
    const taken = wanted.find((ip) => ip.ip_address !== undefined && ip.ip_address === record.gateway_ip);
    if (taken !== undefined)
      badRouterRequest(`External IP ${taken.ip_address} is the same as the gateway IP`);
  }
}

function move(change: Change, context: Context, row: Row<PortRecord>, wanted: readonly FixedIpDraft[]): void {
  const port = row.record;
  change.replace(row);
  change.requireQuiet(keys.subnet(port.network_id, ''));
  const addresses = new PortAddresses(context, change, port, port.fixed_ips).resolve(wanted);
  writePort(change, port, touched({ ...port, fixed_ips: addresses }, change.now));
}

/** The router with the gateway that a request wants, or without one. `router` is there or about to be. */
export function withGateway(
  change: Change,
  context: Context,
  caller: Caller,
  router: RouterRecord,
  wanted: GatewayDraft | null,
): RouterRecord {
  const { state } = context.view;
  const held = gatewayRowOf(state, router);
  const inside = placeOf(state, rowsOf(state, router.interfaces));
  if (wanted === null) {
    checkRoutes(router.id, router.routes, inside);
    if (held !== undefined) dropRouterPort(change, context, held);
    return { ...router, gateway: null, enable_snat: true };
  }
  const { network_id: network, external_fixed_ips: addresses = [] } = wanted;
  admitNetwork(change, state, caller, network);
  refuseGatewaysAddress(state, network, addresses);
  const subnets = [...state.subnets.by('network', network)].map((row) => row.record);
  const place: RouterPlace = { ...inside, prefixes: [...inside.prefixes, ...subnets.map(prefixOf)] };
  checkRoutes(router.id, router.routes, place);
  const after = { ...router, enable_snat: wanted.enable_snat ?? true };
  if (held?.record.network_id === network) {
    if (movesTo(held.record, addresses)) move(change, context, held, addresses);
    return after;
  }
  if (held !== undefined) dropRouterPort(change, context, held);
  const bare = { ...after, gateway: null };
  refuseOverlap(state, bare, subnets);
  const port = makeRouterPort(change, context, caller, {
    router,
    owner: gatewayOwner,
    network,
    project: '',
    ...(addresses.length === 0 ? {} : { fixed_ips: addresses }),
  });
  return { ...bare, gateway: port.id };
}
