/** Lists of addresses and prefixes in requests for subnets and routers: their conversion and their checks. */
import { cidr, contains, parseCidr, parseIp } from '../net/cidr.ts';
import type { Check } from './attribute.ts';
import { ipAddress, isObject, toCanonicalCidr, toCanonicalIp } from './checks.ts';
import { pythonText } from './python-text.ts';
import { arrayOf, cidrSchema, ipSchema, objectOf, schemaOf, withSchema } from './schema.ts';

/** A list of objects with exactly these keys, each an address or prefix; the reason otherwise. */
function listOf<F extends string>(
  what: string,
  fields: Readonly<Record<F, Check>>,
): Check<readonly Readonly<Record<F, string>>[]> {
  const properties = Object.fromEntries(
    Object.entries<Check>(fields).map(([field, check]) => [field, schemaOf(check) ?? {}]),
  );
  return withSchema(arrayOf(objectOf(properties)), (value: unknown): string | null => {
    if (!Array.isArray(value)) return `Invalid data format for ${what}: '${pythonText(value)}'`;
    const seen = new Set<string>();
    for (const item of value) {
      if (!isObject(item)) {
        const expected = pythonText(Object.keys(fields));
        return `Invalid input. '${pythonText(item)}' must be a dictionary with keys: ${expected}`;
      }
      if (Object.keys(item).sort().join() !== Object.keys(fields).sort().join()) {
        return `Invalid data format for ${what}: '${pythonText(item)}'`;
      }
      for (const [field, check] of Object.entries<Check>(fields)) {
        const reason = check(item[field]);
        if (reason !== null) return reason;
      }
      const text = JSON.stringify(Object.keys(fields).map((field) => item[field]));
      if (seen.has(text)) return `Duplicate ${what} '${pythonText(item)}'`;
      seen.add(text);
    }
    return null;
  });
}

const eachIn =
  (convert: (item: unknown) => unknown) =>
  (value: unknown): unknown =>
    value === null ? [] : Array.isArray(value) ? value.map(convert) : value;

const canonicalFields =
  (converts: Readonly<Record<string, (value: unknown) => unknown>>) =>
  (item: unknown): unknown =>
    isObject(item)
      ? Object.fromEntries(
          Object.entries(item).map(([key, value]) => {
            // Requests name the keys: `constructor` or `__proto__` must not find what every object inherits.
            const convert = Object.hasOwn(converts, key) ? converts[key] : undefined;
            return [key, convert?.(value) ?? value];
          }),
        )
      : item;

export const toNameservers = eachIn(toCanonicalIp);
export const nameserverList: Check<readonly string[]> = withSchema(
  arrayOf(ipSchema),
  (value: unknown): string | null => {
    if (!Array.isArray(value)) return `Invalid data format for nameserver: '${pythonText(value)}'`;
    for (const host of value) {
      const reason = ipAddress(host);
      if (reason !== null) return `'${pythonText(host)}' is not a valid nameserver. ${reason}`;
    }
    const twice = value.find((host, at) => value.indexOf(host) !== at);
    return twice === undefined ? null : `Duplicate nameserver '${pythonText(twice)}'`;
  },
);

const eachPool = eachIn(canonicalFields({ start: toCanonicalIp, end: toCanonicalIp }));
/** Null is no list of pools; an empty one asks for the usual. */
export const toPools = (value: unknown): unknown => (value === null ? value : eachPool(value));

export const poolList = listOf('IP pool', { start: ipAddress, end: ipAddress });

const loopback = [cidr(4, 0x7f000000n, 8), cidr(6, 1n)];

/** Where routes lead: a prefix without host bits, with its length. */
const routeCidr = withSchema(cidrSchema, (value: unknown): string | null => {
  const text = typeof value === 'string' ? value : '';
  const prefix = parseCidr(text);
  if (prefix === null) return `'${pythonText(value)}' is not a valid CIDR`;
  const [address = ''] = text.split('/');
  if (!text.includes('/') || parseIp(address)?.bits !== prefix.bits) {
    const wanted = toCanonicalCidr(text.includes('/') ? text : `${text}/${prefix.length}`);
    return `'${text}' is not a recognized CIDR, '${pythonText(wanted)}' is recommended`;
  }
  return loopback.some((own) => contains(own, prefix)) ? `'${text}' is not a routable CIDR` : null;
});

const toRouteCidr = (value: unknown): unknown => (routeCidr(value) === null ? toCanonicalCidr(value) : value);

/** The conversion and the check of routes, of hosts and of routers. */
export const toRoutes = eachIn(canonicalFields({ destination: toRouteCidr, nexthop: toCanonicalIp }));
export const routeList = listOf('hostroute', { destination: routeCidr, nexthop: ipAddress });
