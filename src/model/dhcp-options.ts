/**
 * `extra_dhcp_opts` of ports: what a DHCP server should tell the port beside the usual. An update adds, changes and
 * removes single options; options that it does not name stay.
 */
import { isObject, oneOf, text, toInteger } from './checks.ts';
import { invalidInput } from './faults.ts';
import { pythonText } from './python-text.ts';
import type { DhcpOption } from './records.ts';

/** Null takes the option away. */
export type DhcpOptionDraft = Omit<DhcpOption, 'opt_value'> & { readonly opt_value: string | null };

const nameText = text(64);
const valueText = text(255);
const families = oneOf([4, 6]);
const keys = new Set(['opt_name', 'opt_value', 'ip_version']);
/** Options with a meaning when their value is empty. */
const mayBeBlank: ReadonlySet<string> = new Set(['router', 'classless-static-route']);

/** A line break of any kind would let a tenant write lines of a DHCP server's configuration. */
function oneLine(value: string): string | null {
  if (value.trim() === '') return `'${value}' Blank strings are not permitted`;
  return /[\p{Cc}\p{Zl}\p{Zp}]/u.test(value.replaceAll('\t', ''))
    ? `Multi-line string is not allowed: '${value}'`
    : null;
}

function reasonAgainst(item: unknown): string | null {
  if (!isObject(item)) return `'${pythonText(item)}' is not a dictionary`;
  const unknown = Object.keys(item).filter((key) => !keys.has(key));
  const missing = ['opt_name', 'opt_value'].filter((key) => !Object.hasOwn(item, key));
  if (unknown.length > 0 || missing.length > 0)
    return `Expected keys not found. Expected: '${pythonText([...keys])}', Provided: '${pythonText(Object.keys(item))}'`;
  const { opt_name: name, opt_value: value, ip_version: version } = item;
  if (typeof name !== 'string') return nameText(name);
  const wrong =
    nameText(name) ?? oneLine(name) ?? (version === undefined ? null : families(toInteger(version)));
  if (wrong !== null || value === null) return wrong;
  if (typeof value !== 'string') return valueText(value);
  return valueText(value) ?? (value === '' && mayBeBlank.has(name) ? null : oneLine(value));
}

function toDraft(item: unknown): DhcpOptionDraft {
  const reason = reasonAgainst(item);
  if (reason !== null) return invalidInput(reason);
  const { opt_name, opt_value, ip_version } = item as Omit<DhcpOptionDraft, 'ip_version'> & {
    readonly ip_version?: unknown;
  };
  return { opt_name, opt_value, ip_version: toInteger(ip_version ?? 4) === 6 ? 6 : 4 };
}

/** Throws `InvalidInput`. */
export function toDhcpOptions(value: unknown): readonly DhcpOptionDraft[] {
  if (value === null) return [];
  return Array.isArray(value) ? value.map(toDraft) : invalidInput(`'${pythonText(value)}' is not a list`);
}

/** The options after an update; those held keep their places. */
export function withDhcpOptions(
  held: readonly DhcpOption[],
  asked: readonly DhcpOptionDraft[],
): readonly DhcpOption[] {
  const options = new Map(held.map((option) => [identityOf(option), option]));
  for (const { opt_value: value, ...rest } of asked) {
    if (value === null) options.delete(identityOf(rest));
    else
      options.set(identityOf(rest), {
        opt_name: rest.opt_name,
        opt_value: value,
        ip_version: rest.ip_version,
      });
  }
  return [...options.values()];
}

const identityOf = (option: Omit<DhcpOption, 'opt_value'>): string =>
  `${option.ip_version} ${option.opt_name}`;
