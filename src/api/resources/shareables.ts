/** The kinds of objects that RBAC policies share: their tables, their `missing` faults, and who sees them. */

import type { AccessRule } from '../../model/access.ts';
import { addressGroupVerbs } from '../../model/address-group.ts';
import { addressScopeVerbs } from '../../model/address-scope.ts';
import type { MissingCode } from '../../model/missing.ts';
import { networkVerbs } from '../../model/network.ts';
import { qosPolicyVerbs } from '../../model/qos-policy.ts';
import type { SharedType } from '../../model/rbac-policy.ts';
import { securityGroupVerbs } from '../../model/security-group.ts';
import type { Owned } from '../../model/standard-attributes.ts';
import { subnetPoolVerbs } from '../../model/subnet-pool.ts';
import type { State } from '../state/state.ts';
import type { Table } from '../state/table.ts';

export interface Shareable {
  readonly rowsIn: (state: State) => Pick<Table<Owned, never>, 'get' | 'of'>;
  readonly missing: MissingCode;
  readonly read: AccessRule;
}

export const shareables = {
  network: {
    rowsIn: (state) => state.networks,
    missing: 'NetworkNotFound',
    read: networkVerbs.read,
  },
  security_group: {
    rowsIn: (state) => state.groups,
    missing: 'SecurityGroupNotFound',
    read: securityGroupVerbs.read,
  },
  address_group: {
    rowsIn: (state) => state.addressGroups,
    missing: 'AddressGroupNotFound',
    read: addressGroupVerbs.read,
  },
  subnetpool: {
    rowsIn: (state) => state.subnetPools,
    missing: 'SubnetPoolNotFound',
    read: subnetPoolVerbs.read,
  },
  address_scope: {
    rowsIn: (state) => state.addressScopes,
    missing: 'AddressScopeNotFound',
    read: addressScopeVerbs.read,
  },
  qos_policy: {
    rowsIn: (state) => state.qosPolicies,
    missing: 'QosPolicyNotFound',
    read: qosPolicyVerbs.read,
  },
} as const satisfies Readonly<Record<SharedType, Shareable>>;
