/** What the rules of subnet pools and address scopes refuse, by Neutron's names. */
import type { Family } from '../net/cidr.ts';

/** What two bounds of prefix lengths are called in texts. */
export type BoundName = 'min_prefixlen' | 'max_prefixlen' | 'default_prefixlen' | 'ip_version_max';

export type SubnetPoolFault =
  | { readonly code: 'BadSubnetsRequest'; readonly message: string }
  | { readonly code: 'EmptySubnetPoolPrefixList' }
  | { readonly code: 'PrefixVersionMismatch' }
  | { readonly code: 'AddrFormatError'; readonly text: string }
  | {
      readonly code: 'IllegalSubnetPoolPrefixBounds';
      readonly bound: BoundName;
      readonly length: number;
      readonly base: BoundName;
      readonly baseLength: number;
    }
  | { readonly code: 'IllegalSubnetPoolPrefixUpdate'; readonly message: string }
  | { readonly code: 'IllegalSubnetPoolUpdate'; readonly reason: string }
  | { readonly code: 'SubnetPoolDeleteError'; readonly reason: string }
  | { readonly code: 'SubnetPoolQuotaExceeded' }
  | { readonly code: 'SubnetAllocationError'; readonly reason: string }
  | { readonly code: 'MinPrefixSubnetAllocationError'; readonly length: number; readonly min: number }
  | { readonly code: 'MaxPrefixSubnetAllocationError'; readonly length: number; readonly max: number }
  | { readonly code: 'NetworkSubnetPoolAffinityError' }
  | { readonly code: 'NetworkAddressScopeAffinityError' }
  | { readonly code: 'NotNetworkOwner' }
  | { readonly code: 'AddressScopeInUse'; readonly id: string }
  | { readonly code: 'AddressScopeUpdateError'; readonly id: string; readonly reason: string }
  | { readonly code: 'AddressScopePrefixConflict' }
  | {
      readonly code: 'IllegalSubnetPoolIpVersionAssociationToAddressScope';
      readonly pool: string;
      readonly scope: string;
      readonly version: Family;
    };
