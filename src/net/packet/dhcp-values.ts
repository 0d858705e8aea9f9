/**
 * The values of DHCPv4 options as bytes, by the names of dnsmasq, which Neutron's users know, or by number. Layouts are those of
 * RFC 2132 unless the row says otherwise. Options that the protocol itself fills are not here: nobody may set them.
 */
import { Writer } from '../../base/bytes.ts';
import { type Cidr, parseCidr, parseIp } from '../cidr.ts';

type ValueType =
  | 'address'
  | 'addresses'
  | 'pairs'
  | 'text'
  | 'u8'
  | 'u16'
  | 'u32'
  | 'flag'
  | 'bytes'
  | 'domains'
  | 'routes';

/** Code, name, type. */
const rows = [
  [1, 'netmask', 'address'],
  [2, 'time-offset', 'u32'],
  [3, 'router', 'addresses'],
  [6, 'dns-server', 'addresses'],
  [7, 'log-server', 'addresses'],
  [9, 'lpr-server', 'addresses'],
  [12, 'hostname', 'text'],
  [13, 'boot-file-size', 'u16'],
  [15, 'domain-name', 'text'],
  [16, 'swap-server', 'address'],
  [17, 'root-path', 'text'],
  [18, 'extension-path', 'text'],
  [19, 'ip-forward-enable', 'flag'],
  [20, 'non-local-source-routing', 'flag'],
  [21, 'policy-filter', 'pairs'],
  [22, 'max-datagram-reassembly', 'u16'],
  [23, 'default-ttl', 'u8'],
  [26, 'mtu', 'u16'],
  [27, 'all-subnets-local', 'flag'],
  [28, 'broadcast', 'address'],
  [31, 'router-discovery', 'flag'],
  [32, 'router-solicitation', 'address'],
  [33, 'static-route', 'pairs'],
  [34, 'trailer-encapsulation', 'flag'],
  [35, 'arp-timeout', 'u32'],
  [36, 'ethernet-encap', 'flag'],
  [37, 'tcp-ttl', 'u8'],
  [38, 'tcp-keepalive', 'u32'],
  [40, 'nis-domain', 'text'],
  [41, 'nis-server', 'addresses'],
  [42, 'ntp-server', 'addresses'],
  [43, 'vendor-encap', 'bytes'],
  [44, 'netbios-ns', 'addresses'],
  [45, 'netbios-dd', 'addresses'],
  [46, 'netbios-nodetype', 'u8'],
  [47, 'netbios-scope', 'text'],
  [48, 'x-windows-fs', 'addresses'],
  [49, 'x-windows-dm', 'addresses'],
  [60, 'vendor-class', 'text'],
  [64, 'nis+-domain', 'text'],
  [65, 'nis+-server', 'addresses'],
  [66, 'tftp-server', 'text'],
  [67, 'bootfile-name', 'text'],
  [68, 'mobile-ip-home', 'addresses'],
  [69, 'smtp-server', 'addresses'],
  [70, 'pop3-server', 'addresses'],
  [71, 'nntp-server', 'addresses'],
  [74, 'irc-server', 'addresses'],
  // RFC 4833
  [100, 'posix-timezone', 'text'],
  [101, 'tzdb-timezone', 'text'],
  // RFC 8925
  [108, 'ipv6-only', 'u32'],
  // RFC 8910
  [114, 'captive-portal', 'text'],
  // RFC 3397
  [119, 'domain-search', 'domains'],
  // RFC 3442
  [121, 'classless-static-route', 'routes'],
  // RFC 5859
  [150, 'tftp-server-address', 'addresses'],
  // Microsoft's number for option 121
  [249, 'ms-classless-static-route', 'routes'],
] as const satisfies readonly (readonly [number, string, ValueType])[];

/** What only the protocol fills: padding, end, lease, overload, type, server and client themselves, relays. */
const reserved: ReadonlySet<number> = new Set([0, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 61, 82, 255]);

const byName = new Map<string, (typeof rows)[number]>(rows.map((row) => [row[1], row]));
const byCode = new Map<number, (typeof rows)[number]>(rows.map((row) => [row[0], row]));

export interface DhcpValue {
  readonly code: number;
  readonly data: Buffer;
}

/** A route of option 121: a prefix and its next hop. */
export interface DhcpRoute {
  readonly destination: Cidr;
  readonly nexthop: Cidr;
}

/** RFC 3442: of a destination only the bytes that its length needs. */
export function routeBytes(routes: readonly DhcpRoute[]): Buffer {
  const writer = new Writer();
  for (const { destination, nexthop } of routes) {
    const address = Buffer.alloc(4);
    address.writeUInt32BE(Number(destination.bits));
    writer
      .u8(destination.length)
      .bytes(address.subarray(0, Math.ceil(destination.length / 8)))
      .uint(nexthop.bits, 4);
  }
  return writer.done();
}

export function addressBytes(...addresses: readonly Cidr[]): Buffer {
  const writer = new Writer(4 * addresses.length);
  for (const { bits } of addresses) writer.uint(bits, 4);
  return writer.done();
}

const partsOf = (value: string): string[] => value.split(',').map((part) => part.trim());

function addressesOf(value: string): Buffer | null {
  const addresses = partsOf(value).map(parseIp);
  const known = addresses.filter((address) => address?.family === 4);
  return known.length === addresses.length ? addressBytes(...known.filter((ip) => ip !== null)) : null;
}

function numberOf(value: string, size: 1 | 2 | 4): Buffer | null {
  const number = /^(?:0x[\da-f]+|-?\d+)$/i.test(value) ? Number(value) : Number.NaN;
  const limit = 2 ** (8 * size);
  if (!(number >= -limit / 2 && number < limit)) return null;
  const data = Buffer.alloc(size);
  data.writeUIntBE(number < 0 ? number + limit : number, 0, size);
  return data;
}

const bytesOf = (value: string): Buffer | null =>
  /^[\da-f]{1,2}(?::[\da-f]{1,2})+$/i.test(value)
    ? Buffer.from(value.split(':').map((part) => Number.parseInt(part, 16)))
    : null;

/** RFC 1035 3.1, without compression. */
export function domainBytes(value: string): Buffer | null {
  const labels = value
    .replace(/\.$/, '')
    .split('.')
    .map((label) => Buffer.from(label));
  if (labels.some(({ length }) => length === 0 || length > 63)) return null;
  return Buffer.concat([...labels.flatMap((label) => [Buffer.from([label.length]), label]), Buffer.alloc(1)]);
}

function domainsOf(value: string): Buffer | null {
  const domains = partsOf(value).map(domainBytes);
  const known = domains.filter((domain) => domain !== null);
  return known.length === domains.length ? Buffer.concat(known) : null;
}

function routesOf(value: string): Buffer | null {
  if (value === '') return Buffer.alloc(0);
  const parts = partsOf(value);
  const routes: DhcpRoute[] = [];
  for (let at = 0; at < parts.length; at += 2) {
    const destination = parseCidr(parts[at] ?? '');
    const nexthop = parseIp(parts[at + 1] ?? '');
    if (destination?.family !== 4 || nexthop?.family !== 4) return null;
    routes.push({ destination, nexthop });
  }
  return routeBytes(routes);
}

const flags: Readonly<Record<string, number>> = { '0': 0, '1': 1, false: 0, true: 1 };

function valueOf(type: ValueType, value: string): Buffer | null {
  switch (type) {
    case 'address':
      return value.includes(',') ? null : addressesOf(value);
    case 'addresses':
      return value === '' ? Buffer.alloc(0) : addressesOf(value);
    case 'pairs': {
      const addresses = addressesOf(value);
      return addresses !== null && addresses.length % 8 === 0 ? addresses : null;
    }
    case 'text':
      return Buffer.from(value);
    case 'u8':
      return numberOf(value, 1);
    case 'u16':
      return numberOf(value, 2);
    case 'u32':
      return numberOf(value, 4);
    case 'flag': {
      const flag = flags[value.toLowerCase()];
      return flag === undefined ? null : Buffer.from([flag]);
    }
    case 'bytes':
      return bytesOf(value) ?? Buffer.from(value);
    case 'domains':
      return domainsOf(value);
    case 'routes':
      return routesOf(value);
  }
}

/** Of an option without a row: addresses, bytes as hexadecimal pairs, a number in its least size, else text. */
function guessed(value: string): Buffer {
  const size = /^\d+$/.test(value)
    ? ([1, 2, 4] as const).find((one) => Number(value) < 2 ** (8 * one))
    : undefined;
  const number = size === undefined ? null : numberOf(value, size);
  return addressesOf(value) ?? bytesOf(value) ?? number ?? Buffer.from(value);
}

/**
 * The option of a name (`ntp-server`) or a number (`42`), with its value as bytes. Null for an unknown name, for an option
 * that only the protocol fills, and for a value that the option cannot have.
 */
export function dhcpValue(name: string, value: string): DhcpValue | null {
  const row = byName.get(name) ?? (/^\d{1,3}$/.test(name) ? byCode.get(Number(name)) : undefined);
  const code = row?.[0] ?? (/^\d{1,3}$/.test(name) ? Number(name) : 0);
  if (reserved.has(code) || code > 255) return null;
  const data = row === undefined ? guessed(value) : valueOf(row[2], value);
  return data === null ? null : { code, data };
}
