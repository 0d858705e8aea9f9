/** The refusals of segments that another network has. */
export type ProviderFault =
  | { readonly code: 'FlatNetworkInUse'; readonly physical: string }
  | { readonly code: 'VlanIdInUse'; readonly physical: string; readonly vlan: number }
  | { readonly code: 'TunnelIdInUse'; readonly id: number };
