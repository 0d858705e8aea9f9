/** The answers for refusals about security groups and their rules: a part of the table in errors.ts. */
import type { ModelFault } from '../../model/faults.ts';
import type { MissingFault } from '../../model/missing.ts';
import { protocolNumber, protocolNumbers } from '../../model/protocols.ts';
import { pythonText } from '../../model/python-text.ts';
import type { AnswersTo } from './answers.ts';

type SecurityGroupFault = Exclude<
  Extract<
    ModelFault,
    { readonly code: `SecurityGroup${string}` } | { readonly code: 'DuplicateSecurityGroupRuleInPost' }
  >,
  MissingFault
>;

export const securityGroupAnswers: AnswersTo<SecurityGroupFault> = {
  SecurityGroupDefaultAlreadyExists: { status: 409, text: () => 'Default security group already exists.' },
  SecurityGroupCannotUpdateDefault: {
    status: 409,
    text: () => 'Updating default security group not allowed.',
  },
  SecurityGroupCannotRemoveDefault: {
    status: 409,
    text: () => 'Insufficient rights for removing default security group.',
  },
  SecurityGroupDefaultStatefulnessAlreadyExists: {
    status: 409,
    text: (f) =>
      `A security group default statefulness setting already exists for project '${f.project || 'system-wide'}'.`,
  },
  SecurityGroupInUse: { status: 409, text: (f) => `Security Group ${f.id} in use.` },
  SecurityGroupRuleExists: {
    status: 409,
    text: (f) => `Security group rule already exists. Rule id is ${f.rule}.`,
  },
  DuplicateSecurityGroupRuleInPost: { status: 409, text: () => 'Duplicate Security Group Rule in POST.' },
  SecurityGroupNotSingleGroupRules: {
    status: 400,
    text: () => 'Only allowed to update rules for one security profile at a time',
  },
  SecurityGroupRulesNotSingleProject: {
    status: 400,
    text: () => 'Multiple project_ids in bulk security group rule create not allowed',
  },
  SecurityGroupRuleInvalidProtocol: {
    status: 400,
    text: (f) =>
      `Security group rule protocol ${f.protocol} not supported. Only protocol values ` +
      `${pythonText([null, ...Object.keys(protocolNumbers)])} and integer representations [0 to 255] are supported.`,
  },
  SecurityGroupRuleInvalidEtherType: {
    status: 400,
    text: (f) =>
      `Security group rule for ethertype '${f.ethertype}' not supported. Allowed values are ['IPv4', 'IPv6'].`,
  },
  SecurityGroupEthertypeConflictWithProtocol: {
    status: 400,
    text: (f) => `Invalid ethertype ${f.ethertype} for protocol ${f.protocol}.`,
  },
  SecurityGroupProtocolRequiredWithPorts: {
    status: 400,
    text: () => 'Must also specify protocol if port range is given.',
  },
  SecurityGroupInvalidProtocolForPort: {
    status: 400,
    text: (f) =>
      `Ports cannot be specified for protocol ${protocolNumber(f.protocol) ?? f.protocol}. ` +
      'Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE.',
  },
  SecurityGroupPortsNotMatchable: {
    status: 400,
    type: 'SecurityGroupInvalidProtocolForPort',
    text: (f) =>
      `Invalid protocol ${f.protocol} for port range: the switch cannot match its ports. ` +
      'A rule for the whole protocol, without ports, is possible.',
  },
  SecurityGroupInvalidPortRange: {
    status: 400,
    text: () => 'For TCP/UDP protocols, port_range_min must be <= port_range_max',
  },
  SecurityGroupInvalidPortValue: { status: 400, text: (f) => `Invalid value for port ${f.port}` },
  SecurityGroupInvalidIcmpValue: {
    status: 400,
    text: (f) => `Invalid value for ICMP ${f.field} (${f.attribute}) ${f.value}. It must be 0 to 255.`,
  },
  SecurityGroupMissingIcmpType: {
    status: 400,
    text: (f) =>
      `ICMP code (port-range-max) ${f.value} is provided but ICMP type (port-range-min) is missing.`,
  },
  SecurityGroupMultipleRemoteEntites: {
    status: 400,
    text: () => 'Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.',
  },
  SecurityGroupConflict: { status: 409, text: (f) => `Error ${f.reason} while attempting the operation.` },
  SecurityGroupRuleParameterConflict: {
    status: 400,
    text: (f) => `Conflicting value ethertype ${f.ethertype} for CIDR ${f.cidr}`,
  },
};
