/** How many addresses networks have and how many of them ports hold: a view, attribute table and arithmetic. */
import { lastOf } from '../net/cidr.ts';
import { poolRange } from './address-pools.ts';
import type { AttributeTable } from './attribute.ts';
import type { Verbs } from './policy.ts';
import type { NetworkRecord, SubnetRecord } from './records.ts';
import {
  arrayOf,
  cidrSchema,
  enumSchema,
  integerSchema,
  objectOf,
  stringSchema,
  uuidSchema,
} from './schema.ts';
import { standardAttributes } from './standard-attributes.ts';
import { prefixOf } from './subnet.ts';

export const ipAvailabilityVerbs: Verbs = { create: [], read: ['admin', 'service'], update: [], delete: [] };

const shown = { post: 'refused', put: false } as const;

export const ipAvailabilityAttributes = {
  network_id: { ...shown, type: uuidSchema, filter: 'text', sort: true, about: 'The network.' },
  network_name: { ...shown, filter: 'text', about: 'Its name.' },
  project_id: { ...standardAttributes.project_id, ...shown },
  total_ips: { ...shown, type: integerSchema, about: 'How many addresses its subnets hand out.' },
  used_ips: { ...shown, type: integerSchema, about: 'How many addresses of them ports have.' },
  subnet_ip_availability: {
    ...shown,
    type: arrayOf(
      objectOf({
        subnet_id: uuidSchema,
        subnet_name: stringSchema,
        ip_version: enumSchema([4, 6]),
        cidr: cidrSchema,
        total_ips: integerSchema,
        used_ips: integerSchema,
      }),
    ),
    about: 'The same for each subnet.',
  },
  ip_version: { ...shown, hidden: true, filter: 'list', about: 'Only subnets of this version of IP count.' },
} as const satisfies AttributeTable;

/** What is counted: a network with those of its subnets that the reader asks for. */
export interface IpAvailability {
  /** The network's. */
  readonly id: string;
  readonly project_id: string;
  readonly network: NetworkRecord;
  readonly subnets: readonly SubnetRecord[];
}

/** Addresses that are handed out. A subnet without pools counts whole, as in Neutron. */
function totalOf(subnet: SubnetRecord): bigint {
  const prefix = prefixOf(subnet);
  if (subnet.allocation_pools.length === 0) return lastOf(prefix) - prefix.bits + 1n;
  return subnet.allocation_pools.reduce((sum, pool) => {
    const range = poolRange(pool);
    return range === null ? sum : sum + range.last - range.first + 1n;
  }, 0n);
}

/** Whole numbers are exact, so those of IPv6 are bigints. `usedOf` counts what ports have of a subnet. */
export function showIpAvailability(
  { network, subnets }: IpAvailability,
  usedOf: (subnet: string) => number,
): Record<string, unknown> {
  const rows = subnets.map((subnet) => ({
    subnet_id: subnet.id,
    subnet_name: subnet.name,
    ip_version: subnet.ip_version,
    cidr: subnet.cidr,
    total_ips: totalOf(subnet),
    used_ips: usedOf(subnet.id),
  }));
  return {
    network_id: network.id,
    network_name: network.name,
    project_id: network.project_id,
    tenant_id: network.project_id,
    total_ips: rows.reduce((sum, row) => sum + row.total_ips, 0n),
    used_ips: rows.reduce((sum, row) => sum + row.used_ips, 0),
    subnet_ip_availability: rows,
  };
}
