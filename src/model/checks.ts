/**
 * Converters and validators that attribute tables are made of. A validator returns the reason in Neutron's words
 * or null. A converter returns the stored form, or the value itself where the validator has to refuse it.
 */
import { formatCidr, parseCidr, parseIp, widthOf } from '../net/cidr.ts';
import { parseMac } from '../net/mac.ts';
import type { Check } from './attribute.ts';
import { invalidInput } from './faults.ts';
import { pythonText } from './python-text.ts';
import {
  arrayOf,
  booleanSchema,
  cidrSchema,
  enumSchema,
  ipSchema,
  macSchema,
  orNullSchema,
  type Schema,
  schemaOf,
  uuidSchema,
  withSchema,
} from './schema.ts';

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether a text has more code points than `max`; JavaScript's `length` counts some of them twice. */
export const isLonger = (value: string, max: number): boolean =>
  value.length > max && (value.length > 2 * max || Array.from(value).length > max);

export const text = (max: number): Check<string> =>
  withSchema({ type: 'string', maxLength: max }, (value) => {
    if (typeof value !== 'string') return `'${pythonText(value)}' is not a valid string`;
    return isLonger(value, max) ? `'${value}' exceeds maximum length of ${max}` : null;
  });

const shortText = text(255);

/** A project's id is part of a store key, so it is held to printable ASCII. */
export const projectId: Check<string> = withSchema(
  { type: 'string', pattern: '^[!-~]{1,255}$' },
  (value) =>
    shortText(value) ??
    (/^[!-~]+$/.test(String(value)) ? null : `'${String(value)}' is not a valid project id`),
);

export const oneOf = <const V>(allowed: readonly V[]): Check<V> =>
  withSchema(enumSchema(allowed), (value) =>
    allowed.some((one) => one === value) ? null : `${pythonText(value)} is not in valid_values`,
  );

const told = <V>(schema: Schema | null, check: Check<V>): Check<V> =>
  schema === null ? check : withSchema(schema, check);

export const orNull = <V>(check: Check<V>): Check<V | null> => {
  const schema = schemaOf(check);
  return told(schema === null ? null : orNullSchema(schema), (value) =>
    value === null ? null : check(value),
  );
};

const uuidPattern = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
export const uuid: Check<string> = withSchema(uuidSchema, (value) =>
  typeof value === 'string' && uuidPattern.test(value) ? null : `'${pythonText(value)}' is not a valid UUID`,
);

/** A list of such items, none of them twice. */
export const listOf = <V>(item: Check<V>): Check<readonly V[]> =>
  withSchema({ ...arrayOf(schemaOf(item) ?? {}), uniqueItems: true }, (value) => {
    if (!Array.isArray(value)) return `'${pythonText(value)}' is not a list`;
    const items: readonly unknown[] = value;
    const known = new Set<unknown>();
    const twice = new Set(items.filter((one) => known.size === known.add(one).size));
    if (twice.size > 0)
      return `Duplicate items in the list: '${[...twice].map((one) => pythonText(one)).join(', ')}'`;
    for (const one of items) {
      const reason = item(one);
      if (reason !== null) return reason;
    }
    return null;
  });

export const uuidList = listOf(uuid);

export const integerBetween = (min: number, max: number): Check<number> =>
  withSchema({ type: 'integer', minimum: min, maximum: max }, (value) => {
    if (typeof value !== 'number' || !Number.isInteger(value))
      return `'${pythonText(value)}' is not an integer`;
    if (value < min) return `'${value}' is too small - must be at least '${min}'`;
    return value > max ? `'${value}' is too large - must be no larger than '${max}'` : null;
  });

/** Neutron takes whole numbers written as text. */
export function toInteger(value: unknown): number {
  const number =
    typeof value === 'string' && /^[+-]?\d{1,15}$/.test(value.trim()) ? Number(value.trim()) : value;
  return typeof number === 'number' && Number.isInteger(number)
    ? number
    : invalidInput(`'${pythonText(value)}' is not an integer`);
}

const trueWords: ReadonlySet<unknown> = new Set(['1', 't', 'true', 'on', 'y', 'yes']);
const falseWords: ReadonlySet<unknown> = new Set(['0', 'f', 'false', 'off', 'n', 'no']);

/** Neutron takes the words and digits for booleans that its oldest clients send. */
export const toBoolean = withSchema(booleanSchema, (value: unknown): boolean => {
  if (typeof value === 'boolean') return value;
  const word = typeof value === 'string' || typeof value === 'number' ? String(value) : null;
  const plain = word?.trim().toLowerCase();
  if (trueWords.has(plain)) return true;
  if (falseWords.has(plain)) return false;
  return invalidInput(`'${pythonText(value)}' cannot be converted to boolean`);
});

/** Octets with leading zeros are octal to some and decimal to others. */
const zeroPadded = /^0*\d{1,3}(\.0*\d{1,3}){3}$/;

export const ipAddress: Check<string> = withSchema(ipSchema, (value) => {
  if (typeof value === 'string' && parseIp(value) !== null) return null;
  const plain = typeof value === 'string' && zeroPadded.test(value) ? value.replace(/\b0+(?=\d)/g, '') : '';
  return parseIp(plain) === null
    ? `'${pythonText(value)}' is not a valid IP address`
    : `'${pythonText(value)}' is not an accepted IP address, '${plain}' is recommended`;
});

export const ipSubnet: Check<string> = withSchema(cidrSchema, (value) =>
  typeof value === 'string' && value.includes('/') && parseCidr(value) !== null
    ? null
    : typeof value === 'string' && parseIp(value) !== null
      ? `'${value}' isn't a recognized IP subnet cidr, '${value}/${value.includes(':') ? 128 : 32}' is recommended`
      : `'${pythonText(value)}' is not a valid IP subnet`,
);

/** RFC 5952 text of an address, so that equal addresses are equal texts; the rest is left for `ipAddress`. */
export function toCanonicalIp(value: unknown): unknown {
  const address = typeof value === 'string' ? parseIp(value) : null;
  return address === null ? value : formatCidr(address);
}

/** A prefix with its host bits cleared, always with its length. */
export function toCanonicalCidr(value: unknown): unknown {
  const prefix = typeof value === 'string' && value.includes('/') ? parseCidr(value) : null;
  if (prefix === null) return value;
  const shown = formatCidr(prefix);
  return prefix.length === widthOf(prefix.family) ? `${shown}/${prefix.length}` : shown;
}

export const toMac = (value: unknown): unknown =>
  typeof value === 'string' ? (parseMac(value) ?? value) : value;

export const macAddress: Check<string> = withSchema(macSchema, (value) => {
  const mac = typeof value === 'string' ? parseMac(value) : null;
  const usable = mac !== null && mac !== '00:00:00:00:00:00' && mac !== 'ff:ff:ff:ff:ff:ff';
  return usable ? null : `'${pythonText(value)}' is not a valid MAC address`;
});

export const dictionary: Check<Readonly<Record<string, unknown>>> = withSchema({ type: 'object' }, (value) =>
  isObject(value) ? null : `'${pythonText(value)}' is not a dictionary`,
);

export const nullTo =
  (replacement: unknown) =>
  (value: unknown): unknown =>
    value === null ? replacement : value;
