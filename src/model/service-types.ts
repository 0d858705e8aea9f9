/** Service types of subnets: which ports choose their addresses from which subnets. */
import { badRequest, refuse } from './faults.ts';
import { pythonText } from './python-text.ts';
import type { SubnetRecord } from './records.ts';

/**
 * The prefixes of device owners. Neutron means `compute:`, but accepts every text that begins with one of its letters, and
 * clients rely on it.
 */
const ownerStart = /^(network:|neutron:|baremetal:|[compute:])/;

export function toServiceTypes(value: unknown): readonly string[] {
  if (value === null) return [];
  if (!Array.isArray(value)) return badRequest('Subnet service types must be a list.');
  const types = value.map((item: unknown) => {
    if (typeof item !== 'string')
      return refuse({ code: 'InvalidInputSubnetServiceType', type: pythonText(item) });
    return ownerStart.test(item) && item.length <= 255
      ? item
      : refuse({ code: 'InvalidSubnetServiceType', type: item });
  });
  return [...new Set(types)];
}

/** Those of the subnets that ports of this owner choose from, in the order of choice: what is meant for them first. */
export function subnetsFor(owner: string, subnets: readonly SubnetRecord[]): readonly SubnetRecord[] {
  const typesOf = (subnet: SubnetRecord): readonly string[] => subnet.service_types ?? [];
  const open = (subnet: SubnetRecord): boolean =>
    typesOf(subnet).length === 0 ||
    typesOf(subnet).includes(owner) ||
    (owner === 'network:dhcp' && subnet.enable_dhcp);
  return subnets
    .filter(open)
    .toSorted((a, b) => Number(typesOf(a).length === 0) - Number(typesOf(b).length === 0));
}
