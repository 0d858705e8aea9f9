/** What may be shared with other projects, by the names that RBAC policies have for it: where it is and who sees it. */

import type { Rule } from '../../model/access.ts';
import { addressGroupVerbs } from '../../model/address-group.ts';
import { addressScopeVerbs } from '../../model/address-scope.ts';
import { networkVerbs } from '../../model/network.ts';
import { qosPolicyVerbs } from '../../model/qos-policy.ts';
import type { SharedType } from '../../model/rbac-policy.ts';
import { securityGroupVerbs } from '../../model/security-group.ts';
import type { Owned } from '../../model/standard-attributes.ts';
import { subnetPoolVerbs } from '../../model/subnet-pool.ts';
import type { State } from '../state/state.ts';
import type { Row } from '../state/table.ts';

export interface Shareable {
  readonly find: (state: State, id: string) => Row<Owned> | undefined;
  readonly missing:
    | 'NetworkNotFound'
    | 'SecurityGroupNotFound'
    | 'AddressGroupNotFound'
    | 'QosPolicyNotFound'
    | 'SubnetPoolNotFound'
    | 'AddressScopeNotFound';
  readonly read: Rule;
}

export const shareables = {
  network: {
    find: (state, id) => state.networks.get(id),
    missing: 'NetworkNotFound',
    read: networkVerbs.read,
  },
  security_group: {
    find: (state, id) => state.groups.get(id),
    missing: 'SecurityGroupNotFound',
    read: securityGroupVerbs.read,
  },
  address_group: {
    find: (state, id) => state.addressGroups.get(id),
    missing: 'AddressGroupNotFound',
    read: addressGroupVerbs.read,
  },
  subnetpool: {
    find: (state, id) => state.subnetPools.get(id),
    missing: 'SubnetPoolNotFound',
    read: subnetPoolVerbs.read,
  },
  address_scope: {
    find: (state, id) => state.addressScopes.get(id),
    missing: 'AddressScopeNotFound',
    read: addressScopeVerbs.read,
  },
  qos_policy: {
    find: (state, id) => state.qosPolicies.get(id),
    missing: 'QosPolicyNotFound',
    read: qosPolicyVerbs.read,
  },
} as const satisfies Readonly<Record<SharedType, Shareable>>;
