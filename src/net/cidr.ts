/**
 * IP addresses and prefixes of both families: one value type, strict parsing, canonical text.
 * An address is a prefix of full length, so everything that takes a prefix takes an address.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { type Mac, macToBits } from './mac.ts';

export type Family = 4 | 6;

/** A prefix with its host bits cleared; `bits` holds the whole address, 32 or 128 bits wide. */
export interface Cidr {
  readonly family: Family;
  readonly bits: bigint;
  readonly length: number;
}

export const widthOf = (family: Family): number => (family === 4 ? 32 : 128);

const ones = (count: number): bigint => (1n << BigInt(count)) - 1n;

const masksOf = (width: number): readonly bigint[] =>
  Array.from({ length: width + 1 }, (_, length) => ones(width) ^ ones(width - length));
const masks = { 4: masksOf(32), 6: masksOf(128) } as const;

/** The mask of a prefix length: ones at the top. */
export const maskOf = (family: Family, length: number): bigint => masks[family][length] ?? 0n;

export function cidr(family: Family, bits: bigint, length: number = widthOf(family)): Cidr {
  return { family, bits: bits & maskOf(family, length), length };
}

function bitsOf4(text: string): bigint {
  return BigInt(text.split('.').reduce((bits, part) => bits * 256 + Number(part), 0));
}

function bitsOf6(text: string): bigint {
  let source = text;
  const dotted = source.lastIndexOf('.') === -1 ? -1 : source.lastIndexOf(':');
  if (dotted !== -1) {
    const low = bitsOf4(source.slice(dotted + 1));
    source = `${source.slice(0, dotted + 1)}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  }
  const [head = '', tail] = source.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return BigInt(`0x${groups.map((group) => group.padStart(4, '0')).join('')}`);
}

/** An address without prefix length or zone; null for other text. `010.0.0.1` and `1` are refused. */
export function parseIp(text: string): Cidr | null {
  if (isIPv4(text)) return cidr(4, bitsOf4(text));
  if (isIPv6(text) && !text.includes('%')) return cidr(6, bitsOf6(text));
  return null;
}

/** An address or `address/length`; host bits are cleared. Null when malformed. */
export function parseCidr(text: string): Cidr | null {
  const slash = text.indexOf('/');
  if (slash === -1) return parseIp(text);
  const address = parseIp(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === null || !/^(0|[1-9]\d{0,2})$/.test(digits)) return null;
  const length = Number(digits);
  return length > address.length ? null : cidr(address.family, address.bits, length);
}

/** RFC 5952 text of an address's bits. */
export function formatIp(family: Family, bits: bigint): string {
  if (family === 4) {
    const address = Number(bits);
    return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
  }
  const digits = bits.toString(16).padStart(32, '0');
  const groups: string[] = [];
  for (let at = 0; at < 32; at += 4) groups.push(Number.parseInt(digits.slice(at, at + 4), 16).toString(16));
  let best = { at: -1, size: 1 };
  for (let at = 0; at < 8; at++) {
    let size = 0;
    while (groups[at + size] === '0') size++;
    if (size > best.size) best = { at, size };
  }
  if (best.at === -1) return groups.join(':');
  return `${groups.slice(0, best.at).join(':')}::${groups.slice(best.at + best.size).join(':')}`;
}

/** Canonical text: a bare address at full length, else `address/length`. */
export function formatCidr(prefix: Cidr): string {
  const text = formatIp(prefix.family, prefix.bits);
  return prefix.length === widthOf(prefix.family) ? text : `${text}/${prefix.length}`;
}

export const isHost = (prefix: Cidr): boolean => prefix.length === widthOf(prefix.family);

/** Whether `outer` holds all of `inner`. */
export function contains(outer: Cidr, inner: Cidr): boolean {
  return (
    outer.family === inner.family &&
    outer.length <= inner.length &&
    (inner.bits & maskOf(outer.family, outer.length)) === outer.bits
  );
}

export const overlaps = (a: Cidr, b: Cidr): boolean => contains(a, b) || contains(b, a);

/** RFC 919. */
export const broadcast4: Cidr = { family: 4, bits: 0xffffffffn, length: 32 };

/** All_DHCP_Relay_Agents_and_Servers, ff02::1:2 (RFC 8415 7.1). */
export const dhcpServers6: Cidr = { family: 6, bits: (0xff02n << 112n) | 0x1_0002n, length: 128 };

/** The last address of a prefix; for IPv4 the subnet's broadcast. */
export const lastOf = (prefix: Cidr): bigint => prefix.bits | ones(widthOf(prefix.family) - prefix.length);

/** The modified EUI-64 link-local address of a MAC (RFC 4291 appendix A). */
export function linkLocalOf(mac: Mac): Cidr {
  const bits = macToBits(mac);
  const high = (bits >> 24n) ^ 0x020000n;
  return cidr(6, (0xfe80n << 112n) | (high << 40n) | (0xfffen << 24n) | (bits & 0xffffffn));
}

export const linkLocalPrefix: Cidr = cidr(6, 0xfe80n << 112n, 10);
