/** The answers for refusals about subnet pools and address scopes: a part of the table in errors.ts. */
import type { SubnetPoolFault } from '../../model/subnet-pool-faults.ts';
import type { AnswersTo } from './answers.ts';

export const subnetPoolAnswers: AnswersTo<SubnetPoolFault> = {
  BadSubnetsRequest: { status: 400, type: 'BadRequest', text: (f) => `Bad subnets request: ${f.message}.` },
  EmptySubnetPoolPrefixList: { status: 400, text: () => 'Empty subnet pool prefix list.' },
  PrefixVersionMismatch: {
    status: 400,
    text: () => 'Cannot mix IPv4 and IPv6 prefixes in a subnet pool.',
  },
  AddrFormatError: { status: 400, text: (f) => `invalid IPNetwork ${f.text}` },
  IllegalSubnetPoolPrefixBounds: {
    status: 400,
    text: (f) => `Illegal prefix bounds: ${f.bound}=${f.length}, ${f.base}=${f.baseLength}.`,
  },
  IllegalSubnetPoolPrefixUpdate: {
    status: 400,
    text: (f) => `Illegal update to prefixes: ${f.message}.`,
  },
  IllegalSubnetPoolUpdate: { status: 400, text: (f) => `Illegal subnetpool update : ${f.reason}.` },
  SubnetPoolDeleteError: { status: 400, text: (f) => `Unable to delete subnet pool: ${f.reason}.` },
  SubnetPoolQuotaExceeded: { status: 409, text: () => 'Per-tenant subnet pool prefix quota exceeded.' },
  // Neutron answers 500. Here it is the request's fault.
  SubnetAllocationError: { status: 409, text: (f) => `Failed to allocate subnet: ${f.reason}.` },
  MinPrefixSubnetAllocationError: {
    status: 400,
    text: (f) =>
      `Unable to allocate subnet with prefix length ${f.length}, minimum allowed prefix is ${f.min}.`,
  },
  MaxPrefixSubnetAllocationError: {
    status: 400,
    text: (f) =>
      `Unable to allocate subnet with prefix length ${f.length}, maximum allowed prefix is ${f.max}.`,
  },
  NetworkSubnetPoolAffinityError: {
    status: 400,
    text: () => 'Subnets hosted on the same network must be allocated from the same subnet pool.',
  },
  NetworkAddressScopeAffinityError: {
    status: 400,
    text: () =>
      'Subnets of the same address family hosted on the same network must all participate in the same address scope.',
  },
  NotNetworkOwner: { status: 403, type: 'NotAuthorized', text: () => 'Not authorized.' },
  AddressScopeInUse: {
    status: 409,
    text: (f) =>
      `Unable to complete operation on address scope ${f.id}. There are one or more subnet pools in use on ` +
      'the address scope.',
  },
  AddressScopeUpdateError: {
    status: 400,
    text: (f) => `Unable to update address scope ${f.id} : ${f.reason}.`,
  },
  AddressScopePrefixConflict: {
    status: 409,
    text: () =>
      'Failed to associate address scope: subnetpools within an address scope must have unique prefixes.',
  },
  IllegalSubnetPoolIpVersionAssociationToAddressScope: {
    status: 400,
    text: (f) =>
      `Illegal subnetpool association: subnetpool ${f.pool} cannot associate with address scope ${f.scope} ` +
      `because subnetpool ip_version is not ${f.version}.`,
  },
};
