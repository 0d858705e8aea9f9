/**
 * The kinds of QoS rules that a switch can hold to: what their parameters may be, from which both the attribute
 * table and the description of the kind come, and which rules exclude each other. Guarantees (minimum bandwidth,
 * minimum packet rate) are no kind here, since no meter gives them.
 */
import type { Attribute, AttributeTable, RequestDraft } from './attribute.ts';
import { shownSchema } from './attribute-schema.ts';
import { integerBetween, oneOf } from './checks.ts';
import { invalidInput, refuse } from './faults.ts';
import { pythonText } from './python-text.ts';
import type { QosPolicyRecord, QosRuleRecord } from './records.ts';
import { objectOf, type Schema, uuidSchema } from './schema.ts';
import { standardAttributes } from './standard-attributes.ts';

type Values =
  | { readonly parameter_type: 'range'; readonly parameter_values: { start: number; end: number } }
  | { readonly parameter_type: 'choices'; readonly parameter_values: readonly (string | number)[] };

interface Parameter {
  readonly values: Values;
  readonly about: string;
  /** Absent: it must be given. */
  readonly fallback?: string | number;
}

/** The width of Neutron's columns. */
const anyAmount: Values = {
  parameter_type: 'range',
  parameter_values: { start: 0, end: 2_147_483_647 },
};

const direction: Parameter = {
  values: { parameter_type: 'choices', parameter_values: ['ingress', 'egress'] },
  fallback: 'egress',
  about: 'What ports receive (`ingress`) or what they send.',
};

/** The class selectors and the standard forwarding behaviours (RFC 2474, 2597, 3246, 5865), as Neutron has them. */
const dscpMarks = [0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56];

const parameters: { readonly [T in QosRuleRecord['type']]: Readonly<Record<string, Parameter>> } = {
  bandwidth_limit: {
    max_kbps: { values: anyAmount, about: 'Kilobits a second; 0 is no limit.' },
    max_burst_kbps: {
      values: anyAmount,
      fallback: 0,
      about:
        'Kilobits beyond the rate that may pass at once; 0: four fifths of what the rate allows in a second.',
    },
    direction,
  },
  packet_rate_limit: {
    max_kpps: { values: anyAmount, about: 'Thousands of packets a second; 0 is no limit.' },
    max_burst_kpps: {
      values: anyAmount,
      fallback: 0,
      about: 'Thousands of packets beyond the rate that may pass at once.',
    },
    direction,
  },
  dscp_marking: {
    dscp_mark: {
      values: { parameter_type: 'choices', parameter_values: dscpMarks },
      about: 'The DSCP of what ports send.',
    },
  },
};

/** Whole numbers, also as text, as Neutron takes them. */
function toWhole(value: unknown): number {
  const number = typeof value === 'string' && /^\s*[+-]?\d{1,15}\s*$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number)
    ? number
    : invalidInput(`'${pythonText(value)}' is not an integer`);
}

function attributeOf({ values, fallback, about }: Parameter): Attribute {
  const common = { put: true, sort: true, about } as const;
  const use =
    fallback === undefined ? ({ post: 'required' } as const) : ({ post: 'allowed', fallback } as const);
  if (values.parameter_type === 'range') {
    const { start, end } = values.parameter_values;
    return { ...common, ...use, convert: toWhole, validate: integerBetween(start, end), filter: 'integer' };
  }
  const { parameter_values: choices } = values;
  return typeof choices[0] === 'number'
    ? { ...common, ...use, convert: toWhole, validate: oneOf(choices), filter: 'integer' }
    : { ...common, ...use, validate: oneOf(choices), filter: 'text' };
}

export interface QosRuleKind {
  readonly type: QosRuleRecord['type'];
  /** The keys that wrap one and several in a body; the second is the URL's part too. */
  readonly name: string;
  readonly collection: string;
  readonly table: AttributeTable;
  /** As `rule-types` shows them. */
  readonly parameters: readonly ({ readonly parameter_name: string } & Values)[];
}

function kindOf(type: QosRuleRecord['type']): QosRuleKind {
  const entries = Object.entries(parameters[type]);
  return {
    type,
    name: `${type}_rule`,
    collection: `${type}_rules`,
    table: {
      id: standardAttributes.id,
      ...Object.fromEntries(entries.map(([name, parameter]) => [name, attributeOf(parameter)])),
    },
    parameters: entries.map(([name, { values }]) => ({ parameter_name: name, ...values })),
  };
}

export const qosRuleKinds: readonly QosRuleKind[] = [
  kindOf('bandwidth_limit'),
  kindOf('dscp_marking'),
  kindOf('packet_rate_limit'),
];

/** A rule of any kind, as its policy shows it. */
export const anyQosRule: Schema = {
  oneOf: qosRuleKinds.map(({ type, table }) =>
    objectOf({
      ...Object.fromEntries(Object.entries(table).map(([name, attribute]) => [name, shownSchema(attribute)])),
      type: { type: 'string', enum: [type] },
      qos_policy_id: uuidSchema,
    }),
  ),
};

/** Types that Neutron knows and a switch cannot hold to. */
export const refusedQosRuleTypes = ['minimum_bandwidth', 'minimum_packet_rate'] as const;

/** `draft` comes from the kind's own table, which says all that the record needs. */
export function newQosRule(kind: QosRuleKind, id: string, draft: RequestDraft): QosRuleRecord {
  return { ...draft, id, type: kind.type } as QosRuleRecord;
}

const directionOf = (rule: QosRuleRecord): string | null =>
  rule.type === 'dscp_marking' ? null : rule.direction;

/** The policy's rules with this one added or changed. Throws `QoSRulesConflict` for a second of a kind and direction. */
export function withQosRule(policy: QosPolicyRecord, rule: QosRuleRecord): QosPolicyRecord {
  for (const other of policy.rules) {
    if (other.id === rule.id || other.type !== rule.type || directionOf(other) !== directionOf(rule))
      continue;
    refuse({ code: 'QoSRulesConflict', type: rule.type, rule: other.id, policy: policy.id });
  }
  const known = policy.rules.some((other) => other.id === rule.id);
  const rules = known
    ? policy.rules.map((other) => (other.id === rule.id ? rule : other))
    : [...policy.rules, rule];
  return { ...policy, rules };
}
