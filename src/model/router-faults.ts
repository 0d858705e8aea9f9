/** The refusals about routers and their ports: a part of the model's faults. */

interface NamedRoute {
  readonly destination: string;
  readonly nexthop: string;
}

export type RouterFault =
  | { readonly code: 'RouterInUse'; readonly id: string; readonly ports: readonly string[] }
  /** Neutron's BadRequest, with a text of its own. */
  | { readonly code: 'BadRouterRequest'; readonly message: string }
  | { readonly code: 'RouterInterfaceNotFound'; readonly router: string; readonly port: string }
  | { readonly code: 'RouterInterfaceNotFoundForSubnet'; readonly router: string; readonly subnet: string }
  | { readonly code: 'RouterInterfaceInUseByRoute'; readonly router: string; readonly subnet: string }
  | { readonly code: 'SubnetMismatchForPort'; readonly port: string; readonly subnet: string }
  | {
      readonly code: 'PortInUse';
      readonly port: string;
      readonly network: string;
      readonly device: string;
    }
  | { readonly code: 'ServicePortInUse'; readonly port: string; readonly owner: string }
  /** Not in Neutron, where a router's port may lose its device. */
  | { readonly code: 'RouterPortKept'; readonly port: string; readonly router: string }
  | { readonly code: 'DeviceIDNotOwnedByTenant'; readonly device: string }
  | { readonly code: 'InvalidRoutes'; readonly routes: readonly NamedRoute[]; readonly reason: string }
  | { readonly code: 'RoutesExhausted'; readonly router: string; readonly quota: number }
  /** Neutron's RbacPolicyInUse: routers have their gateways there by the policy. */
  | { readonly code: 'ExternalPolicyInUse'; readonly network: string };
