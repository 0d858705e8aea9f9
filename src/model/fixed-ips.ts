/** Fixed addresses in requests for ports and for routers' gateways: their conversion and their check. */
import type { Check } from './attribute.ts';
import { ipAddress, isObject, toCanonicalIp, uuid } from './checks.ts';
import { pythonText } from './python-text.ts';

/** An entry of a request's `fixed_ips`: at least one of both. */
export interface FixedIpDraft {
  readonly subnet_id?: string;
  readonly ip_address?: string;
}

export function toFixedIps(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return value.map((item: unknown) => {
    if (!isObject(item)) return item;
    const kept = Object.entries(item).filter(([, part]) => part !== null);
    return Object.fromEntries(
      kept.map(([key, part]) => [key, key === 'ip_address' ? toCanonicalIp(part) : part]),
    );
  });
}

export const fixedIps: Check<readonly FixedIpDraft[]> = (value) => {
  if (!Array.isArray(value)) return `Invalid data format for fixed IP: '${pythonText(value)}'`;
  const seen = new Set<unknown>();
  for (const item of value) {
    if (!isObject(item)) return `Invalid data format for fixed IP: '${pythonText(item)}'`;
    const unknown = Object.keys(item).filter((key) => key !== 'subnet_id' && key !== 'ip_address');
    if (unknown.length > 0 || Object.keys(item).length === 0) {
      return `Invalid data format for fixed IP: '${pythonText(item)}'`;
    }
    const { subnet_id: subnet, ip_address: address } = item;
    const reason =
      (subnet === undefined ? null : uuid(subnet)) ?? (address === undefined ? null : ipAddress(address));
    if (reason !== null) return reason;
    if (address !== undefined && seen.has(address)) return `Duplicate IP address '${pythonText(address)}'`;
    seen.add(address);
  }
  return null;
};
