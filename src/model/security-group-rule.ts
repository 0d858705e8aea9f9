/** Security-group rules: attribute table, what one rule may say, and when two rules are the same. */
import { formatCidr, isHost, parseCidr, parseIp } from '../net/cidr.ts';
import type { AttributeTable, DraftOf } from './attribute.ts';
import { oneOf, orNull, text } from './checks.ts';
import { refuse } from './faults.ts';
import type { Verbs } from './policy.ts';
import { ipv6OnlyNumbers, protocolNumber, protocolNumbers } from './protocols.ts';
import { pythonText } from './python-text.ts';
import type { SecurityGroupRuleRecord, StandardAttributes } from './records.ts';
import { cidrSchema, enumSchema, orNullSchema, type Schema, stringSchema, uuidSchema } from './schema.ts';
import { type Birth, born, standardAttributes } from './standard-attributes.ts';

function toEthertype(value: unknown): 'IPv4' | 'IPv6' {
  const word = typeof value === 'string' ? value.toLowerCase() : null;
  if (word === 'ipv4') return 'IPv4';
  if (word === 'ipv6') return 'IPv6';
  return refuse({ code: 'SecurityGroupRuleInvalidEtherType', ethertype: pythonText(value) });
}

function toProtocol(value: unknown): string | null {
  if (value === null) return null;
  const word =
    typeof value === 'number' ? String(value) : typeof value === 'string' ? value.toLowerCase() : '';
  if (word === 'any') return null;
  if (/^\d{1,3}$/.test(word) && Number(word) <= 255) return String(Number(word));
  if (Object.hasOwn(protocolNumbers, word)) return word;
  return refuse({ code: 'SecurityGroupRuleInvalidProtocol', protocol: pythonText(value) });
}

function toPortValue(value: unknown): number | null {
  if (value === null) return null;
  const number = typeof value === 'string' && /^-?\d{1,9}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= 65_535)
    return number;
  return refuse({ code: 'SecurityGroupInvalidPortValue', port: pythonText(value) });
}

/** A prefix with its host bits as sent; a bare address gets its full length. */
function toRemotePrefix(value: unknown): string | null {
  if (value === null || value === '') return null;
  const prefix = typeof value === 'string' ? parseCidr(value) : null;
  if (typeof value !== 'string' || prefix === null)
    return refuse({ code: 'InvalidCIDR', input: pythonText(value) });
  const [address = '', length] = value.split('/');
  const parsed = parseIp(address);
  const canonical = parsed === null ? address : formatCidr(parsed);
  return `${canonical}/${length ?? String(prefix.length)}`;
}

const fixed = { put: false, filter: 'text', sort: true } as const;
const portSchema: Schema = { type: ['integer', 'null'], minimum: 0, maximum: 65_535 };
const optional = { ...fixed, post: 'allowed', fallback: null } as const;

/** As in Neutron, a text that is no id names no group: 404. */
const anyText = text(255);

/** The group's owner may change all rules of the group, also those that others created. */
export const securityGroupRuleVerbs: Verbs = {
  create: ['admin', 'parent-member'],
  read: ['admin', 'service', 'reader', 'parent-reader'],
  update: [],
  delete: ['admin', 'parent-member'],
};

export const securityGroupRuleAttributes = {
  ...standardAttributes,
  // A rule has no update; Neutron refuses the verb.
  description: { ...standardAttributes.description, put: false },
  security_group_id: {
    ...fixed,
    post: 'required',
    validate: text(36),
    type: uuidSchema,
    about: 'The group that it is in.',
  },
  direction: {
    ...fixed,
    post: 'required',
    validate: oneOf(['ingress', 'egress']),
    about: 'Whether it allows what ports receive (`ingress`) or what they send.',
  },
  ethertype: {
    ...fixed,
    post: 'allowed',
    fallback: 'IPv4',
    convert: toEthertype,
    type: enumSchema(['IPv4', 'IPv6']),
    about: 'The version of IP.',
  },
  protocol: {
    ...optional,
    convert: toProtocol,
    type: orNullSchema(stringSchema),
    sent: {
      anyOf: [
        enumSchema(['any', ...Object.keys(protocolNumbers)]),
        { type: 'string', pattern: '^(25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])$' },
        { type: 'integer', minimum: 0, maximum: 255 },
      ],
    },
    about: 'The name of a protocol or its number, 0 to 255; null for any.',
  },
  port_range_min: {
    ...optional,
    convert: toPortValue,
    type: portSchema,
    filter: 'integer',
    about: 'The first port; the type for ICMP; null for any.',
  },
  port_range_max: {
    ...optional,
    convert: toPortValue,
    type: portSchema,
    filter: 'integer',
    about: 'The last port; the code for ICMP; null for any.',
  },
  remote_ip_prefix: {
    ...optional,
    convert: toRemotePrefix,
    type: orNullSchema(cidrSchema),
    sent: { type: 'string', format: 'ip-or-cidr' },
    about: 'Where the other side must be; null for anywhere.',
  },
  remote_group_id: {
    ...optional,
    validate: orNull(anyText),
    type: orNullSchema(uuidSchema),
    about: 'The group whose ports are the other side.',
  },
  remote_address_group_id: {
    ...optional,
    validate: orNull(anyText),
    type: orNullSchema(uuidSchema),
    about: 'The address group whose prefixes are the other side.',
  },
  normalized_cidr: {
    ...fixed,
    post: 'refused',
    type: orNullSchema(cidrSchema),
    about: '`remote_ip_prefix` without its host bits.',
  },
  belongs_to_default_sg: {
    put: false,
    post: 'refused',
    filter: 'boolean',
    about: "Whether its group is a project's default group.",
  },
} as const satisfies AttributeTable;

export type RuleDraft = DraftOf<typeof securityGroupRuleAttributes>;

/** IPv6 has its own ICMP, whatever it was called. */
function canonicalProtocol(draft: RuleDraft): string | null {
  const { protocol, ethertype } = draft;
  if (protocol !== null && ethertype === 'IPv4' && ipv6OnlyNumbers.has(protocolNumber(protocol) ?? 0)) {
    refuse({ code: 'SecurityGroupEthertypeConflictWithProtocol', ethertype, protocol });
  }
  if (ethertype === 'IPv4') return protocol;
  if (protocol === 'icmp' || protocol === 'icmpv6') return 'ipv6-icmp';
  return protocol === '1' ? '58' : protocol;
}

interface PortRange {
  readonly min: number | null;
  readonly max: number | null;
}

const noPorts: PortRange = { min: null, max: null };
const matchable = new Set([6, 17, 132]);
/** DCCP and UDP-Lite have ports, but not for the switch. */
const unmatchable = new Set([33, 136]);
const icmp = new Set([1, 58]);

function canonicalPorts(protocol: string | null, { min, max }: PortRange): PortRange {
  // All ports are no restriction, whatever the protocol; Neutron looks no further either.
  if ((min === null && max === null) || (min === 1 && max === 65_535)) return noPorts;
  const number = protocolNumber(protocol);
  if (protocol === null || number === null) return refuse({ code: 'SecurityGroupProtocolRequiredWithPorts' });
  if (icmp.has(number)) {
    const fields = [
      ['type', 'port_range_min', min],
      ['code', 'port_range_max', max],
    ] as const;
    for (const [field, attribute, value] of fields) {
      if (value !== null && value > 255)
        refuse({ code: 'SecurityGroupInvalidIcmpValue', field, attribute, value });
    }
    if (min === null && max !== null) refuse({ code: 'SecurityGroupMissingIcmpType', value: max });
    return { min, max };
  }
  if (!matchable.has(number) && !unmatchable.has(number))
    return refuse({ code: 'SecurityGroupInvalidProtocolForPort', protocol });
  if (min === 0 || max === 0) return refuse({ code: 'SecurityGroupInvalidPortValue', port: '0' });
  if (min === null || max === null || min > max) return refuse({ code: 'SecurityGroupInvalidPortRange' });
  return unmatchable.has(number)
    ? refuse({ code: 'SecurityGroupPortsNotMatchable', protocol })
    : { min, max };
}

export function newRule(birth: Birth, draft: RuleDraft): SecurityGroupRuleRecord {
  const remotes = [draft.remote_ip_prefix, draft.remote_group_id, draft.remote_address_group_id];
  if (remotes.filter((remote) => remote !== null).length > 1) {
    refuse({ code: 'SecurityGroupMultipleRemoteEntites' });
  }
  const prefix = draft.remote_ip_prefix === null ? null : parseCidr(draft.remote_ip_prefix);
  if (prefix !== null && prefix.family !== (draft.ethertype === 'IPv4' ? 4 : 6)) {
    refuse({
      code: 'SecurityGroupRuleParameterConflict',
      ethertype: draft.ethertype,
      cidr: draft.remote_ip_prefix ?? '',
    });
  }
  const protocol = canonicalProtocol(draft);
  const ports = canonicalPorts(protocol, { min: draft.port_range_min, max: draft.port_range_max });
  return {
    ...born(birth, draft.description),
    security_group_id: draft.security_group_id,
    direction: draft.direction,
    ethertype: draft.ethertype,
    protocol,
    port_range_min: ports.min,
    port_range_max: ports.max,
    remote_ip_prefix: draft.remote_ip_prefix,
    remote_group_id: draft.remote_group_id,
    remote_address_group_id: draft.remote_address_group_id,
  };
}

/** The prefix with host bits cleared, always with its length; null without one. */
export function normalizedCidr(rule: Pick<SecurityGroupRuleRecord, 'remote_ip_prefix'>): string | null {
  const prefix = rule.remote_ip_prefix === null ? null : parseCidr(rule.remote_ip_prefix);
  if (prefix === null) return null;
  return isHost(prefix) ? `${formatCidr(prefix)}/${prefix.length}` : formatCidr(prefix);
}

/** The address group of a rule; absent in records from before address groups. */
export const addressGroupIdOf = (rule: { readonly remote_address_group_id?: string | null }): string | null =>
  rule.remote_address_group_id ?? null;

/** Equal for rules that match the same; a prefix of length 0 means none. Descriptions do not count. */
export function ruleIdentity(rule: Omit<SecurityGroupRuleRecord, keyof StandardAttributes>): string {
  const cidr = normalizedCidr(rule);
  return JSON.stringify([
    rule.security_group_id,
    rule.direction,
    rule.ethertype,
    protocolNumber(rule.protocol),
    rule.port_range_min,
    rule.port_range_max,
    cidr !== null && cidr.endsWith('/0') ? null : cidr,
    rule.remote_group_id,
    addressGroupIdOf(rule),
  ]);
}
