/** The refusals of roles in isolated networks: Neutron's, of its extension `pvlan`. */
export type IsolationFault =
  | { readonly code: 'PVLANNotEnabledOnNetwork'; readonly network: string }
  | { readonly code: 'PVLANNetworkPortSecurityDisabled'; readonly network: string }
  | { readonly code: 'PVLANCannotSetCommunityName'; readonly port: string }
  | { readonly code: 'PVLANCommunityNameRequired'; readonly port: string }
  | { readonly code: 'PVLANPortSecurityDisabled'; readonly port: string }
  | { readonly code: 'PVLANUnsupportedType'; readonly port: string; readonly type: string };
