/**
 * Every refusal that the API's rules know, as data. The code is also Neutron's exception name where it has one;
 * texts and HTTP statuses live in the API's error table, so nothing here may depend on HTTP.
 */
import { Fault } from '../base/errors.ts';
import type { IsolationFault } from './isolation-faults.ts';
import type { MissingFault } from './missing.ts';
import type { ProviderFault } from './provider-faults.ts';
import type { RouterFault } from './router-faults.ts';
import type { SubnetPoolFault } from './subnet-pool-faults.ts';

export type ModelFault =
  | IsolationFault
  | MissingFault
  | ProviderFault
  | RouterFault
  | SubnetPoolFault
  | { readonly code: 'BadRequest'; readonly message: string }
  | { readonly code: 'InvalidInput'; readonly message: string }
  | { readonly code: 'ExtensionNotFound'; readonly alias: string }
  | { readonly code: 'NetworkInUse'; readonly id: string; readonly ports: readonly string[] }
  | { readonly code: 'SubnetInUse'; readonly id: string }
  | { readonly code: 'InvalidSharedSetting'; readonly name: string }
  | { readonly code: 'GatewayConflictWithAllocationPools'; readonly gateway: string; readonly pool: string }
  | {
      readonly code: 'OverlappingAllocationPools';
      readonly first: string;
      readonly second: string;
      readonly cidr: string;
    }
  | { readonly code: 'OutOfBoundsAllocationPool'; readonly pool: string; readonly cidr: string }
  | { readonly code: 'InvalidAllocationPool'; readonly pool: string }
  | { readonly code: 'DNSNameServersExhausted'; readonly subnet: string; readonly quota: number }
  | { readonly code: 'HostRoutesExhausted'; readonly subnet: string; readonly quota: number }
  | { readonly code: 'MacAddressInUse'; readonly network: string; readonly mac: string }
  | { readonly code: 'InvalidIpForNetwork'; readonly address: string }
  | { readonly code: 'InvalidIpForSubnet'; readonly address: string }
  | { readonly code: 'IpAddressAlreadyAllocated'; readonly address: string; readonly subnet: string }
  | { readonly code: 'IpAddressGenerationFailure'; readonly network: string }
  | { readonly code: 'AllocationOnAutoAddressSubnet'; readonly address: string; readonly subnet: string }
  | { readonly code: 'PortBound'; readonly port: string; readonly oldMac: string; readonly newMac: string }
  | { readonly code: 'NotAComputePort'; readonly port: string }
  | { readonly code: 'PortBindingNotFound'; readonly port: string; readonly host: string }
  | { readonly code: 'PortBindingAlreadyExists'; readonly port: string; readonly host: string }
  | { readonly code: 'PortBindingError'; readonly port: string; readonly host: string }
  | { readonly code: 'PortBindingAlreadyActive'; readonly port: string; readonly host: string }
  | { readonly code: 'AllowedAddressPairsMissingIP' }
  | { readonly code: 'AllowedAddressPairExhausted'; readonly quota: number }
  | { readonly code: 'DuplicateAddressPairInRequest'; readonly mac: string; readonly ip: string }
  | { readonly code: 'AddressPairAndPortSecurityRequired' }
  /** Not in Neutron, where a pair may claim the gateway. */
  | { readonly code: 'AddressPairReserved'; readonly ip: string }
  | { readonly code: 'PortSecurityPortHasSecurityGroup' }
  | { readonly code: 'PortSecurityAndIPRequiredForSecurityGroups' }
  | { readonly code: 'SecurityGroupDefaultAlreadyExists' }
  | { readonly code: 'SecurityGroupCannotUpdateDefault' }
  | { readonly code: 'SecurityGroupCannotRemoveDefault' }
  | { readonly code: 'SecurityGroupInUse'; readonly id: string }
  | { readonly code: 'SecurityGroupRuleExists'; readonly rule: string }
  | { readonly code: 'DuplicateSecurityGroupRuleInPost' }
  | { readonly code: 'SecurityGroupNotSingleGroupRules' }
  | { readonly code: 'SecurityGroupRulesNotSingleProject' }
  | { readonly code: 'SecurityGroupRuleInvalidProtocol'; readonly protocol: string }
  | { readonly code: 'SecurityGroupRuleInvalidEtherType'; readonly ethertype: string }
  | {
      readonly code: 'SecurityGroupEthertypeConflictWithProtocol';
      readonly ethertype: string;
      readonly protocol: string;
    }
  | { readonly code: 'SecurityGroupProtocolRequiredWithPorts' }
  | { readonly code: 'SecurityGroupInvalidProtocolForPort'; readonly protocol: string }
  | { readonly code: 'SecurityGroupInvalidPortRange' }
  | { readonly code: 'SecurityGroupInvalidPortValue'; readonly port: string }
  | {
      readonly code: 'SecurityGroupInvalidIcmpValue';
      readonly field: 'type' | 'code';
      readonly attribute: string;
      readonly value: number;
    }
  | { readonly code: 'SecurityGroupMissingIcmpType'; readonly value: number }
  | { readonly code: 'SecurityGroupPortsNotMatchable'; readonly protocol: string }
  | { readonly code: 'SecurityGroupConflict'; readonly reason: string }
  | { readonly code: 'SecurityGroupMultipleRemoteEntites' }
  | { readonly code: 'AddressGroupInUse'; readonly id: string }
  | { readonly code: 'AddressesNotFound'; readonly id: string; readonly addresses: readonly string[] }
  | { readonly code: 'AddressesAlreadyExist'; readonly id: string; readonly addresses: readonly string[] }
  | { readonly code: 'RbacPolicyInUse'; readonly object: string; readonly user: string }
  | {
      readonly code: 'InvalidActionForType';
      readonly action: string;
      readonly type: string;
      readonly valid: readonly string[];
    }
  | { readonly code: 'DuplicateRbacPolicy' }
  | { readonly code: 'SecurityGroupRuleParameterConflict'; readonly ethertype: string; readonly cidr: string }
  | { readonly code: 'InvalidCIDR'; readonly input: string }
  | { readonly code: 'PolicyRemoveAuthorizationError'; readonly policy: string }
  | {
      readonly code: 'QosPolicyInUse';
      readonly id: string;
      readonly user: 'port' | 'network';
      /** Null where the caller does not know of it. */
      readonly by: string | null;
    }
  | { readonly code: 'QoSPolicyDefaultAlreadyExists'; readonly project: string }
  /** `policy` is empty where the request does not name one. */
  | { readonly code: 'QosRuleNotFound'; readonly id: string; readonly policy: string }
  | {
      readonly code: 'QoSRulesConflict';
      readonly type: string;
      readonly rule: string;
      readonly policy: string;
    }
  | { readonly code: 'QosRuleTypeNotFound'; readonly type: string }
  | { readonly code: 'DefaultSecurityGroupRuleExists'; readonly rule: string }
  | { readonly code: 'DuplicateDefaultSgRuleInPost' }
  /** `project` is empty for the setting of all projects. */
  | { readonly code: 'SecurityGroupDefaultStatefulnessAlreadyExists'; readonly project: string }
  | { readonly code: 'InvalidSubnetServiceType'; readonly type: string }
  | { readonly code: 'InvalidInputSubnetServiceType'; readonly type: string }
  | { readonly code: 'NetworkMTUSubnetConflict'; readonly network: string; readonly mtu: number }
  | { readonly code: 'GatewayIpInUse'; readonly address: string; readonly port: string }
  | {
      readonly code: 'IpAddressGenerationFailureNoMatchingSubnet';
      readonly network: string;
      readonly owner: string;
    }
  | { readonly code: 'DefaultExternalNetworkExists'; readonly network: string }
  /** Neutron's RbacPolicyInUse, for another reason. */
  | { readonly code: 'DefaultExternalNetworkIsForAll'; readonly network: string }
  | { readonly code: 'ExternalNetworkInUse'; readonly network: string }
  | { readonly code: 'AvailabilityZoneNotFound'; readonly zone: string }
  /** Every segment of the types for tenants is in use. */
  | { readonly code: 'NoNetworkAvailable' }
  | { readonly code: 'OverQuota'; readonly overs: readonly string[] }
  | { readonly code: 'TenantQuotaNotFound'; readonly project: string }
  | { readonly code: 'TagNotFound'; readonly tag: string }
  | { readonly code: 'TagResourceNotFound'; readonly resource: string; readonly id: string }
  | { readonly code: 'TooManyTags'; readonly resource: string; readonly limit: number }
  | { readonly code: 'RevisionNumberConstraintFailed'; readonly expected: number; readonly current: number };

/** Throws the refusal; its text here is for logs only. */
export function refuse(data: ModelFault): never {
  throw new Fault(data, JSON.stringify(data));
}

/** A malformed request: Neutron's HTTPBadRequest with a text of its own. */
export function badRequest(message: string): never {
  return refuse({ code: 'BadRequest', message });
}

/** A well-formed request that asks for something impossible: Neutron's InvalidInput. */
export function invalidInput(message: string): never {
  return refuse({ code: 'InvalidInput', message });
}
