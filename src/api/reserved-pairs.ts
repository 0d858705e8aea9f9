/**
 * Pairs that name a reserved address (gateway, a service's, metadata) are refused where they are asked for, so that
 * nobody wonders why the switch drops it. Prefixes may cover reserved addresses; those are then withheld there.
 */

import { refuse } from '../model/faults.ts';
import { isTrustedOwner } from '../model/port.ts';
import type { PortRecord } from '../model/records.ts';
import { contains, formatCidr, isHost, parseCidr } from '../net/cidr.ts';
import { metadataAddresses } from '../policy/reserved.ts';
import type { State } from './state.ts';

export function refuseReservedPairs(state: State, port: PortRecord): void {
  const network = state.networks.get(port.network_id)?.record;
  if (network === undefined || network.allow_reserved_pairs) return;
  const gateways = [...state.subnets.by('network', network.id)].flatMap(
    ({ record }) => record.gateway_ip ?? [],
  );
  const own = new Set(port.fixed_ips.map((fixed) => fixed.ip_address));
  for (const pair of port.allowed_address_pairs) {
    const ip = parseCidr(pair.ip_address);
    if (ip === null || !isHost(ip) || own.has(formatCidr(ip))) continue;
    const text = formatCidr(ip);
    const holders = [...state.ports.by('ip', `${network.id}/${text}`)];
    const reserved =
      gateways.includes(text) ||
      metadataAddresses.some((address) => contains(address, ip)) ||
      holders.some(({ record }) => isTrustedOwner(record.device_owner));
    if (reserved) refuse({ code: 'AddressPairReserved', ip: pair.ip_address });
  }
}
