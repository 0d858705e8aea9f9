/** The refusals of requests that name a record which does not exist or which the caller does not see. */

/** Neutron's exceptions and texts; all are 404. */
export const missingTexts = {
  AddressGroupNotFound: (id) => `Address group ${id} could not be found.`,
  AddressScopeNotFound: (id) => `Address scope ${id} could not be found.`,
  AgentNotFound: (id) => `Agent ${id} could not be found.`,
  DefaultSecurityGroupRuleNotFound: (id) => `Default Security Group rule ${id} does not exist`,
  FloatingIPNotFound: (id) => `Floating IP ${id} could not be found`,
  NetworkNotFound: (id) => `Network ${id} could not be found.`,
  PortNotFound: (id) => `Port ${id} could not be found.`,
  QosPolicyNotFound: (id) => `QoS policy ${id} could not be found.`,
  RbacPolicyNotFound: (id) => `RBAC policy of type unknown with ID ${id} not found`,
  RouterNotFound: (id) => `Router ${id} could not be found`,
  SecurityGroupDefaultStatefulnessNotFound: (id) =>
    `Security group default statefulness ${id} could not be found.`,
  SecurityGroupNotFound: (id) => `Security group ${id} does not exist`,
  SecurityGroupRuleNotFound: (id) => `Security group rule ${id} does not exist`,
  SubnetNotFound: (id) => `Subnet ${id} could not be found.`,
  SubnetPoolNotFound: (id) => `Subnet pool ${id} could not be found.`,
} as const satisfies Readonly<Record<string, (id: string) => string>>;

export type MissingCode = keyof typeof missingTexts;

export type MissingFault = { [C in MissingCode]: { readonly code: C; readonly id: string } }[MissingCode];

export const missing = (code: MissingCode, id: string): MissingFault => ({ code, id });
