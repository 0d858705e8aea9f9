/**
 * The table from fault codes to Neutron's error type, HTTP status and text. Clients match on the type. A fault that is
 * not in the table is a bug: 500, with a text that reveals nothing of the server.
 */
import { Fault } from '../../base/errors.ts';
import type { ModelFault } from '../../model/faults.ts';
import { type MissingFault, missingTexts } from '../../model/missing.ts';
import { pythonText } from '../../model/python-text.ts';
import type { StoreFault } from '../../store/contract.ts';
import type { IdentityFault } from '../identity/authenticator.ts';
import type { CommitFault } from '../state/committer.ts';
import type { ViewFault } from '../state/view.ts';
import type { AnswersTo } from './answers.ts';
import { isolationAnswers } from './isolation-errors.ts';
import { providerAnswers } from './provider-errors.ts';
import type { RequestFault } from './request-faults.ts';
import { routerAnswers } from './router-errors.ts';
import { securityGroupAnswers } from './security-group-errors.ts';
import { subnetPoolAnswers } from './subnet-pool-errors.ts';

type ApiFault = ModelFault | RequestFault | ViewFault | CommitFault | StoreFault | IdentityFault;
type Code = ApiFault['code'];
type FaultOf<C extends Code> = Extract<ApiFault, { readonly code: C }>;

/** All are 404. */
const missingAnswers = Object.fromEntries(
  Object.entries(missingTexts).map(([code, text]) => [
    code,
    { status: 404, text: ({ id }: MissingFault) => text(id) },
  ]),
) as AnswersTo<MissingFault>;

const unavailable = {
  status: 503,
  type: 'ServiceUnavailable',
  text: () => 'The service is unavailable.',
} as const;
const later = { ...unavailable, text: () => 'The service is busy, please try again.' } as const;

const answers: AnswersTo<ApiFault> = {
  ...missingAnswers,
  ...isolationAnswers,
  BadRequest: { status: 400, type: 'HTTPBadRequest', text: (f) => f.message },
  InvalidInput: { status: 400, text: (f) => `Invalid input for operation: ${f.message}.` },
  ExtensionNotFound: {
    status: 404,
    type: 'HTTPNotFound',
    text: (f) => `Extension with alias ${f.alias} does not exist`,
  },
  NetworkInUse: {
    status: 409,
    text: (f) =>
      `Unable to complete operation on network ${f.id}. There are one or more ports still in use on the network, ` +
      `id for these ports is: ${f.ports.join(',')}.`,
  },
  SubnetInUse: {
    status: 409,
    text: (f) =>
      `Unable to complete operation on subnet ${f.id}: One or more ports have an IP allocation from this subnet.`,
  },
  InvalidSharedSetting: {
    status: 409,
    text: (f) =>
      `Unable to reconfigure sharing settings for network ${f.name}. Multiple tenants are using it.`,
  },
  GatewayConflictWithAllocationPools: {
    status: 409,
    text: (f) => `Gateway ip ${f.gateway} conflicts with allocation pool ${f.pool}.`,
  },
  OverlappingAllocationPools: {
    status: 409,
    text: (f) => `Found overlapping allocation pools: ${f.first} ${f.second} for subnet ${f.cidr}.`,
  },
  OutOfBoundsAllocationPool: {
    status: 400,
    text: (f) => `The allocation pool ${f.pool} spans beyond the subnet cidr ${f.cidr}.`,
  },
  InvalidAllocationPool: { status: 400, text: (f) => `The allocation pool ${f.pool} is not valid.` },
  DNSNameServersExhausted: {
    status: 400,
    text: (f) =>
      `Unable to complete operation for ${f.subnet}. The number of DNS nameservers exceeds the limit ${f.quota}.`,
  },
  HostRoutesExhausted: {
    status: 400,
    text: (f) =>
      `Unable to complete operation for ${f.subnet}. The number of host routes exceeds the limit ${f.quota}.`,
  },
  MacAddressInUse: {
    status: 409,
    text: (f) => `Unable to complete operation for network ${f.network}. The mac address ${f.mac} is in use.`,
  },
  InvalidIpForNetwork: {
    status: 400,
    text: (f) => `IP address ${f.address} is not a valid IP for any of the subnets on the specified network.`,
  },
  InvalidIpForSubnet: {
    status: 400,
    text: (f) => `IP address ${f.address} is not a valid IP for the specified subnet.`,
  },
  IpAddressAlreadyAllocated: {
    status: 409,
    text: (f) => `IP address ${f.address} already allocated in subnet ${f.subnet}`,
  },
  IpAddressGenerationFailure: {
    status: 409,
    text: (f) => `No more IP addresses available on network ${f.network}.`,
  },
  AllocationOnAutoAddressSubnet: {
    status: 400,
    text: (f) =>
      `IPv6 address ${f.address} cannot be directly assigned to a port on subnet ${f.subnet} ` +
      'as the subnet is configured for automatic addresses',
  },
  PortBound: {
    status: 409,
    text: (f) =>
      `Unable to complete operation on port ${f.port}, port is already bound, port type: ovs, ` +
      `old_mac ${f.oldMac}, new_mac ${f.newMac}.`,
  },
  NotAComputePort: {
    status: 400,
    type: 'BadRequest',
    text: (f) => `Bad port request: Invalid port ${f.port}. Operation only valid on compute ports.`,
  },
  PortBindingNotFound: {
    status: 404,
    text: (f) => `Binding for port ${f.port} for host ${f.host} could not be found.`,
  },
  PortBindingAlreadyExists: {
    status: 409,
    text: (f) => `Binding for port ${f.port} on host ${f.host} already exists.`,
  },
  // Compute services try another host for this status alone.
  PortBindingError: {
    status: 500,
    text: (f) => `Binding for port ${f.port} on host ${f.host} could not be created or updated.`,
  },
  PortBindingAlreadyActive: {
    status: 409,
    text: (f) => `Binding for port ${f.port} on host ${f.host} is already active.`,
  },
  AllowedAddressPairsMissingIP: { status: 400, text: () => 'AllowedAddressPair must contain ip_address' },
  AllowedAddressPairExhausted: {
    status: 400,
    text: (f) => `The number of allowed address pair exceeds the maximum ${f.quota}.`,
  },
  DuplicateAddressPairInRequest: {
    status: 400,
    text: (f) =>
      `Request contains duplicate address pair: mac_address ${f.mac || 'None'} ip_address ${f.ip}.`,
  },
  AddressPairReserved: {
    status: 400,
    text: (f) =>
      `Address ${f.ip} is the gateway's, a service's or the metadata address of the network: no pair may claim it unless the network's allow_reserved_pairs is true.`,
  },
  AddressPairAndPortSecurityRequired: {
    status: 409,
    text: () => 'Port Security must be enabled in order to have allowed address pairs on a port.',
  },
  PortSecurityPortHasSecurityGroup: {
    status: 409,
    text: () =>
      'Port has security group associated. Cannot disable port security or IP address until security group is removed.',
  },
  PortSecurityAndIPRequiredForSecurityGroups: {
    status: 400,
    text: () =>
      'Port security must be enabled and port must have an IP address in order to use security groups.',
  },
  AddressGroupInUse: {
    status: 409,
    text: (f) => `Address group ${f.id} is in use on one or more security group rules.`,
  },
  AddressesNotFound: {
    status: 404,
    text: (f) => `Addresses ${pythonText(f.addresses)} not found in the address group ${f.id}.`,
  },
  AddressesAlreadyExist: {
    status: 400,
    text: (f) => `Addresses ${pythonText(f.addresses)} already exist in the address group ${f.id}.`,
  },
  RbacPolicyInUse: {
    status: 409,
    text: (f) =>
      `RBAC policy on object ${f.object} cannot be removed because other objects depend on it.\n` +
      `Details: tenant_id=${f.user}`,
  },
  InvalidActionForType: {
    status: 400,
    text: (f) => {
      // One of them is a tuple still.
      const valid = `(${f.valid.map((action) => `'${action}'`).join(', ')}${f.valid.length === 1 ? ',' : ''})`;
      return `Invalid action '${f.action}' for object type '${f.type}'. Valid actions: ${valid}`;
    },
  },
  DuplicateRbacPolicy: { status: 409, text: () => 'An RBAC policy already exists with those values.' },
  InvalidCIDR: { status: 400, text: (f) => `Invalid CIDR ${f.input} given as IP prefix.` },
  PolicyRemoveAuthorizationError: {
    status: 403,
    text: (f) => `Failed to remove provided policy ${f.policy} because you are not authorized.`,
  },
  QosPolicyInUse: {
    status: 409,
    text: (f) => `QoS Policy ${f.id} is used by ${f.user} ${f.by ?? 'of another project'}.`,
  },
  QoSPolicyDefaultAlreadyExists: {
    status: 409,
    text: (f) => `A default QoS policy exists for project ${f.project}.`,
  },
  QosRuleNotFound: {
    status: 404,
    text: (f) => `QoS rule ${f.id} for policy ${f.policy} could not be found.`,
  },
  QoSRulesConflict: {
    status: 409,
    text: (f) =>
      `Rule ${f.type} conflicts with rule ${f.rule} which already exists in QoS Policy ${f.policy}.`,
  },
  QosRuleTypeNotFound: {
    status: 404,
    type: 'HTTPNotFound',
    text: (f) => `QoS rule type ${f.type} is not offered.`,
  },
  DefaultSecurityGroupRuleExists: {
    status: 409,
    text: (f) => `Default Security group rule already exists. Rule id is ${f.rule}.`,
  },
  DuplicateDefaultSgRuleInPost: {
    status: 409,
    text: () => 'Duplicate Default Security Group Rule in POST.',
  },
  InvalidSubnetServiceType: {
    status: 400,
    text: (f) => `Subnet service type ${f.type} does not correspond to a valid device owner.`,
  },
  InvalidInputSubnetServiceType: {
    status: 400,
    text: (f) => `Subnet service type ${f.type} is not a string.`,
  },
  NetworkMTUSubnetConflict: {
    status: 409,
    text: (f) => `MTU of ${f.network} is not valid, subnet requires a minimum of ${f.mtu}`,
  },
  GatewayIpInUse: {
    status: 409,
    text: (f) => `Current gateway ip ${f.address} already in use by port ${f.port}. Unable to update.`,
  },
  IpAddressGenerationFailureNoMatchingSubnet: {
    status: 409,
    text: (f) =>
      `No valid service subnet for the given device owner, network ${f.network}, service type ${f.owner}.`,
  },
  DefaultExternalNetworkExists: {
    status: 409,
    text: (f) => `A default external network already exists: ${f.network}.`,
  },
  DefaultExternalNetworkIsForAll: {
    status: 409,
    type: 'RbacPolicyInUse',
    text: (f) =>
      `RBAC policy on object ${f.network} cannot be removed because other objects depend on it.\n` +
      'Details: Default external networks must be shared to everyone.',
  },
  ExternalNetworkInUse: {
    status: 409,
    text: (f) =>
      `External network ${f.network} cannot be updated to be made non-external, ` +
      'since it has existing gateway ports.',
  },
  AvailabilityZoneNotFound: {
    status: 404,
    text: (f) => `AvailabilityZone ${f.zone} could not be found.`,
  },
  OverQuota: { status: 409, text: (f) => `Quota exceeded for resources: ${pythonText(f.overs)}.` },
  NoNetworkAvailable: {
    status: 503,
    text: () => 'Unable to create the network. No tenant network is available for allocation.',
  },
  TenantQuotaNotFound: {
    status: 404,
    text: (f) => `Quota for tenant ${f.project} could not be found.`,
  },
  TagNotFound: { status: 404, text: (f) => `Tag ${f.tag} could not be found.` },
  TagResourceNotFound: {
    status: 404,
    text: (f) => `Resource ${f.resource} ${f.id} could not be found.`,
  },
  TooManyTags: {
    status: 400,
    type: 'BadRequest',
    text: (f) => `Bad ${f.resource} request: The number of tags exceed the per-resource limit of ${f.limit}.`,
  },
  RevisionNumberConstraintFailed: {
    status: 412,
    text: (f) => `Constrained to ${f.expected}, but current revision is ${f.current}`,
  },
  ...providerAnswers,
  ...routerAnswers,
  ...securityGroupAnswers,
  ...subnetPoolAnswers,
  UnknownPath: { status: 404, type: 'HTTPNotFound', text: () => 'The resource could not be found.' },
  WrongMethod: {
    status: 405,
    type: 'HTTPMethodNotAllowed',
    text: () =>
      'The server could not comply with the request since it is either malformed or otherwise incorrect.',
  },
  NoPost: {
    status: 501,
    type: 'HTTPNotImplemented',
    text: () => 'POST requests are not supported on this resource.',
  },
  BadIfMatch: {
    status: 400,
    type: 'BadRequest',
    text: () => 'Bad if-match request: Revision number etag must be in the format of revision_number=<int>.',
  },
  BadLimit: {
    status: 400,
    type: 'BadRequest',
    text: (f) => `Bad limit request: Limit must be an integer 0 or greater and not '${f.limit}'.`,
  },
  WrongMediaType: {
    status: 415,
    type: 'HTTPUnsupportedMediaType',
    text: () => 'Only application/json bodies are supported.',
  },
  BodyTooLarge: {
    status: 413,
    type: 'HTTPRequestEntityTooLarge',
    text: () => 'The request body is too large.',
  },
  HeadersTooLarge: {
    status: 431,
    type: 'HTTPRequestHeaderFieldsTooLarge',
    text: () => 'The headers of the request are too large.',
  },
  RequestTimeout: {
    status: 408,
    type: 'HTTPRequestTimeout',
    text: () => 'The request did not arrive in time.',
  },
  UnknownExpectation: {
    status: 417,
    type: 'HTTPExpectationFailed',
    text: () => 'Only 100-continue can be expected.',
  },
  Closing: unavailable,
  WrongHost: {
    status: 403,
    type: 'HTTPForbidden',
    text: () => 'This server does not answer for that host name.',
  },
  PolicyNotAuthorized: { status: 403, text: (f) => `${f.rules} is disallowed by policy` },
  Unauthorized: {
    status: 401,
    text: () => 'The request you have made requires authentication.',
  },
  InvalidScope: {
    status: 403,
    text: (f) =>
      `This request needs a token for a project; yours is ${f.scope === 'none' ? 'for none' : `for a ${f.scope}`}.`,
  },
  IdentityUnavailable: unavailable,
  PortNotBound: { status: 409, text: (f) => `Port ${f.port} is not held by any host.` },
  HostNotFound: { status: 404, text: (f) => `Host ${f.host} could not be found.` },
  HostSilent: {
    status: 503,
    text: (f) => `${f.host === null ? 'The host' : `Host ${f.host}`} did not answer in time.`,
  },
  HostsLate: {
    status: 504,
    type: 'HTTPGatewayTimeout',
    text: (f) => `These hosts did not answer in time: ${f.hosts.join(', ')}.`,
  },
  ViewBehind: later,
  RetryLater: later,
  StoreLocked: unavailable,
  StoreCorrupt: unavailable,
  StoreUnavailable: unavailable,
  StoreClosed: unavailable,
  LeaseLost: unavailable,
  TransactionTooLarge: {
    status: 413,
    type: 'HTTPRequestEntityTooLarge',
    text: () => 'The request changes more than the store can write at once; send it in smaller parts.',
  },
};

export interface ErrorAnswer {
  readonly status: number;
  readonly body:
    | { readonly NeutronError: { readonly type: string; readonly message: string; readonly detail: '' } }
    | { readonly error: { readonly code: number; readonly title: string; readonly message: string } };
}

const answer = (status: number, type: string, message: string): ErrorAnswer => ({
  status,
  body: { NeutronError: { type, message, detail: '' } },
});

function answerOf<C extends Code>(fault: FaultOf<C>, code: C): ErrorAnswer {
  const { status, type, text } = answers[code];
  const message = text(fault);
  // In Neutron, Keystone's middleware refuses callers without a token, in its own format.
  if (status === 401) return { status, body: { error: { code: status, title: 'Unauthorized', message } } };
  return answer(status, type ?? code, message);
}

/** The types of all refusals, by status. */
export function refusalTypes(): ReadonlyMap<number, readonly string[]> {
  const types = new Map([[500, new Set(['HTTPInternalServerError'])]]);
  for (const [code, { status, type }] of Object.entries<{ status: number; type?: string }>(answers))
    types.set(status, (types.get(status) ?? new Set()).add(type ?? code));
  return new Map([...types].map(([status, held]) => [status, [...held].sort()]));
}

/** The answer for anything that was thrown; null for a bug, which the caller logs. */
export function answerFor(error: unknown): ErrorAnswer | null {
  if (!(error instanceof Fault)) return null;
  const data = error.data as { readonly code: string };
  return Object.hasOwn(answers, data.code) ? answerOf(data as ApiFault, data.code as Code) : null;
}

export const internalError: ErrorAnswer = answer(
  500,
  'HTTPInternalServerError',
  'Request Failed: internal server error while processing your request.',
);
