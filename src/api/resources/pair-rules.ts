/**
 * The addresses that a port's allowed pairs may name. The API refuses a pair with a reserved address (gateway, service,
 * metadata) or a subnet's broadcast, because the switch would drop its packets. A prefix may cover such addresses; the
 * switch excludes them. Operators may restrict pairs to single addresses of the port's own subnets.
 */
import { invalidInput, refuse } from '../../model/faults.ts';
import { isTrustedOwner } from '../../model/port-owner.ts';
import type { PortRecord } from '../../model/records.ts';
import { contains, formatCidr, isHost, linkLocalPrefix, parseCidr } from '../../net/cidr.ts';
import { broadcastOf, reservedAddresses } from '../../policy/address-owners.ts';
import { portOf, subnetOf } from '../../policy/records.ts';
import type { Subnet } from '../../policy/world.ts';
import type { State } from '../state/state.ts';

const subnetsOf = (state: State, network: string): Subnet[] =>
  [...state.subnets.by('network', network)].flatMap(({ record }) => subnetOf(record) ?? []);

function refuseBroadcast(state: State, port: PortRecord): void {
  const broadcasts = subnetsOf(state, port.network_id).map(broadcastOf);
  for (const { ip_address } of port.allowed_address_pairs) {
    const ip = parseCidr(ip_address);
    if (ip !== null && broadcasts.some((broadcast) => broadcast !== null && contains(broadcast, ip)))
      invalidInput(`Allowed address pair ${ip_address} is the broadcast address of a subnet of the network`);
  }
}

function refuseReserved(state: State, port: PortRecord): void {
  const network = state.networks.get(port.network_id)?.record;
  if (network === undefined || network.allow_reserved_pairs) return;
  const subnets = subnetsOf(state, network.id);
  const own = new Set(port.fixed_ips.map((fixed) => fixed.ip_address));
  for (const pair of port.allowed_address_pairs) {
    const ip = parseCidr(pair.ip_address);
    if (ip === null || !isHost(ip) || own.has(formatCidr(ip))) continue;
    // Only a link-local address can be a port's without being one of its fixed IPs.
    const ports = contains(linkLocalPrefix, ip)
      ? state.ports.by('network', network.id)
      : state.ports.by('ip', `${network.id}/${formatCidr(ip)}`);
    const services = [...ports]
      .filter(({ record }) => isTrustedOwner(record.device_owner))
      .flatMap(({ record }) => portOf(record) ?? []);
    if (reservedAddresses(subnets, services).some((reserved) => contains(reserved, ip)))
      refuse({ code: 'AddressPairReserved', ip: pair.ip_address });
  }
}

function refuseLoose(state: State, port: PortRecord): void {
  const subnets = port.fixed_ips.flatMap(({ subnet_id }) => {
    const cidr = parseCidr(state.subnets.get(subnet_id)?.record.cidr ?? '');
    return cidr ?? [];
  });
  for (const { ip_address } of port.allowed_address_pairs) {
    const ip = parseCidr(ip_address);
    if (ip !== null && isHost(ip) && subnets.some((subnet) => contains(subnet, ip))) continue;
    invalidInput(
      `Allowed address pair ${ip_address} must be one address in a subnet of the port's fixed IPs (address_pairs.strict is set)`,
    );
  }
}

/** Refuses with `AddressPairReserved` or `InvalidInput`. `strict`: single addresses of own subnets only. */
export function checkPairs(state: State, port: PortRecord, strict: boolean): void {
  if (strict) refuseLoose(state, port);
  refuseBroadcast(state, port);
  refuseReserved(state, port);
}
