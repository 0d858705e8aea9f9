/**
 * DHCP messages (RFC 2131 2): the fixed header without `secs`, `hops` and `sname`, then options. Options of more than 255
 * bytes are split (RFC 3396); fields that an option overload (52) fills are not read.
 */
import { Reader, Writer } from '../../base/bytes.ts';
import { type Cidr, cidr } from '../cidr.ts';
import { type Mac, macFromBits, macToBits } from '../mac.ts';

export const dhcpPorts = { server: 67, client: 68, client6: 546, server6: 547 } as const;

const magic = 0x63825363;
const broadcastFlag = 0x8000;
const snameSize = 64;
const fileSize = 128;
const maxOptionSize = 255;

/** Values of option 53 (RFC 2132 9.6). */
export const dhcpTypes = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;

/** Options that the protocol itself needs (RFC 2132 3.3 and 9, RFC 3442). */
export const dhcpOptions = {
  netmask: 1,
  router: 3,
  dnsServer: 6,
  domain: 15,
  mtu: 26,
  broadcast: 28,
  requestedAddress: 50,
  leaseTime: 51,
  type: 53,
  server: 54,
  requested: 55,
  message: 56,
  renewalTime: 58,
  rebindingTime: 59,
  tftpServer: 66,
  bootFile: 67,
  userClass: 77,
  staticRoutes: 121,
  ipxe: 175,
} as const;

export interface Dhcp {
  /** 1 from a client, 2 from a server. */
  readonly op: number;
  readonly xid: number;
  /** The client can hear broadcasts only. */
  readonly broadcast: boolean;
  readonly ciaddr: Cidr;
  readonly yiaddr: Cidr;
  /** The server that the client boots from. */
  readonly siaddr: Cidr;
  /** The relay agent between client and server; 0.0.0.0 for none. */
  readonly giaddr: Cidr;
  readonly chaddr: Mac;
  /** The boot file's name, at most 127 bytes of ASCII. */
  readonly file: string;
  /** In order, the message type (53) among them, without the end option. */
  readonly options: readonly { readonly code: number; readonly data: Buffer }[];
}

const none: Cidr = cidr(4, 0n);
/** The fields that most messages leave empty. */
export const emptyDhcp = {
  broadcast: false,
  ciaddr: none,
  yiaddr: none,
  siaddr: none,
  giaddr: none,
  file: '',
} as const;

export function buildDhcp(message: Dhcp): Buffer {
  const writer = new Writer(300)
    .u8(message.op)
    .u8(1)
    .u8(6)
    .u8(0)
    .u32(message.xid)
    .u16(0)
    .u16(message.broadcast ? broadcastFlag : 0)
    .uint(message.ciaddr.bits, 4)
    .uint(message.yiaddr.bits, 4)
    .uint(message.siaddr.bits, 4)
    .uint(message.giaddr.bits, 4)
    .uint(macToBits(message.chaddr), 6)
    .zeros(10 + snameSize);
  const file = Buffer.from(message.file, 'latin1').subarray(0, fileSize - 1);
  writer
    .bytes(file)
    .zeros(fileSize - file.length)
    .u32(magic);
  for (const { code, data } of message.options)
    for (let at = 0; at === 0 || at < data.length; at += maxOptionSize) {
      const part = data.subarray(at, at + maxOptionSize);
      writer.u8(code).u8(part.length).bytes(part);
    }
  return writer.u8(255).done();
}

/** Null when the message is cut, not for Ethernet, or lacks the magic number. */
export function parseDhcp(data: Buffer): Dhcp | null {
  if (data.length < 240) return null;
  const reader = new Reader(data);
  const op = reader.u8();
  if (reader.u8() !== 1 || reader.u8() !== 6) return null;
  reader.skip(1);
  const xid = reader.u32();
  reader.skip(2);
  const broadcast = (reader.u16() & broadcastFlag) !== 0;
  const ciaddr = cidr(4, reader.uint(4));
  const yiaddr = cidr(4, reader.uint(4));
  const siaddr = cidr(4, reader.uint(4));
  const giaddr = cidr(4, reader.uint(4));
  const chaddr = macFromBits(reader.uint(6));
  reader.skip(10 + snameSize);
  const file = reader
    .bytes(fileSize)
    .toString('latin1')
    .replace(/\0[^]*$/, '');
  if (reader.u32() !== magic) return null;
  const options: { code: number; data: Buffer }[] = [];
  while (reader.left > 0) {
    const code = reader.u8();
    if (code === 255) break;
    if (code === 0) continue;
    if (reader.left < 1) return null;
    const size = reader.u8();
    if (reader.left < size) return null;
    options.push({ code, data: reader.bytes(size) });
  }
  return { op, xid, broadcast, ciaddr, yiaddr, siaddr, giaddr, chaddr, file, options };
}
