/** DHCPv6 messages between client and server (RFC 8415 8 and 21): a type, a transaction and options, which may hold options. */
import { Reader, Writer } from '../../base/bytes.ts';

export const dhcp6Types = {
  solicit: 1,
  advertise: 2,
  request: 3,
  confirm: 4,
  renew: 5,
  rebind: 6,
  reply: 7,
  release: 8,
  decline: 9,
  informationRequest: 11,
} as const;

/** RFC 8415 21, RFC 3646, RFC 5970, RFC 5908. */
export const dhcp6Options = {
  client: 1,
  server: 2,
  nonTemporary: 3,
  temporary: 4,
  address: 5,
  requested: 6,
  preference: 7,
  status: 13,
  rapidCommit: 14,
  dnsServers: 23,
  domains: 24,
  delegation: 25,
  sntpServers: 31,
  ntpServer: 56,
  bootFileUrl: 59,
} as const;

/** RFC 8415 21.13. */
export const dhcp6Statuses = {
  success: 0,
  noAddresses: 2,
  noBinding: 3,
  notOnLink: 4,
  noPrefixes: 6,
} as const;

export interface Dhcp6Option {
  readonly code: number;
  readonly data: Buffer;
}

export interface Dhcp6 {
  readonly type: number;
  /** 24 bits. */
  readonly transaction: number;
  readonly options: readonly Dhcp6Option[];
}

export function buildDhcp6Options(options: readonly Dhcp6Option[]): Buffer {
  const writer = new Writer();
  for (const { code, data } of options) writer.u16(code).u16(data.length).bytes(data);
  return writer.done();
}

/** Null when an option is cut. */
export function parseDhcp6Options(data: Buffer): Dhcp6Option[] | null {
  const reader = new Reader(data);
  const options: Dhcp6Option[] = [];
  while (reader.left > 0) {
    if (reader.left < 4) return null;
    const code = reader.u16();
    const size = reader.u16();
    if (reader.left < size) return null;
    options.push({ code, data: reader.bytes(size) });
  }
  return options;
}

export const buildDhcp6 = ({ type, transaction, options }: Dhcp6): Buffer =>
  new Writer()
    .u32(type * 2 ** 24 + transaction)
    .bytes(buildDhcp6Options(options))
    .done();

/** Null when the message is cut. Messages of relays have another layout: their options do not parse, or mean nothing. */
export function parseDhcp6(data: Buffer): Dhcp6 | null {
  if (data.length < 4) return null;
  const options = parseDhcp6Options(data.subarray(4));
  return options && { type: data.readUInt8(0), transaction: data.readUIntBE(1, 3), options };
}

const { nonTemporary, temporary, delegation } = dhcp6Options;
export const associationTypes: ReadonlySet<number> = new Set([nonTemporary, temporary, delegation]);

/** An identity association for addresses, temporary addresses or prefixes (RFC 8415 21.4, 21.5, 21.21). */
export interface Association {
  readonly code: number;
  readonly id: number;
  readonly options: readonly Dhcp6Option[];
}

/** One for temporary addresses has no times; both are in seconds. */
export function buildAssociation(association: Association, renewal = 0, rebinding = 0): Dhcp6Option {
  const { code, id, options } = association;
  const data = new Writer().u32(id);
  if (code !== temporary) data.u32(renewal).u32(rebinding);
  return { code, data: data.bytes(buildDhcp6Options(options)).done() };
}

/** Null when it is cut, and for another option. */
export function parseAssociation({ code, data }: Dhcp6Option): Association | null {
  const header = code === temporary ? 4 : 12;
  if (!associationTypes.has(code) || data.length < header) return null;
  const options = parseDhcp6Options(data.subarray(header));
  return options && { code, id: data.readUInt32BE(0), options };
}

/** The address in such an option; null for another option, and for one that is cut. */
export const addressIn = ({ code, data }: Dhcp6Option): bigint | null =>
  code === dhcp6Options.address && data.length >= 24 ? BigInt(`0x${data.toString('hex', 0, 16)}`) : null;

/** An address with its preferred and valid lifetimes in seconds (RFC 8415 21.6). */
export const buildAddress = (bits: bigint, preferred: number, valid: number): Dhcp6Option => ({
  code: dhcp6Options.address,
  data: new Writer(24).uint(bits, 16).u32(preferred).u32(valid).done(),
});

export const statusOption = (code: number, text: string): Dhcp6Option => ({
  code: dhcp6Options.status,
  data: new Writer().u16(code).bytes(Buffer.from(text)).done(),
});
