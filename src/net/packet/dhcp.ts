/**
 * DHCP messages (RFC 2131), in the detail that tests and guards need: fixed header, magic number, message
 * type, options.
 */
import { Reader, Writer } from '../../base/bytes.ts';
import { type Cidr, cidr } from '../cidr.ts';
import { type Mac, macFromBits, macToBits } from '../mac.ts';

export const dhcpPorts = { server: 67, client: 68, client6: 546, server6: 547 } as const;

const magic = 0x63825363;

export interface Dhcp {
  /** 1 from a client, 2 from a server. */
  readonly op: number;
  readonly xid: number;
  readonly ciaddr: Cidr;
  readonly yiaddr: Cidr;
  readonly chaddr: Mac;
  /** In order, the message type (53) among them, without the end option. */
  readonly options: readonly { readonly code: number; readonly data: Buffer }[];
}

export function buildDhcp(message: Dhcp): Buffer {
  const writer = new Writer(300)
    .u8(message.op)
    .u8(1)
    .u8(6)
    .u8(0)
    .u32(message.xid)
    .u32(0)
    .uint(message.ciaddr.bits, 4)
    .uint(message.yiaddr.bits, 4)
    .u32(0)
    .u32(0)
    .uint(macToBits(message.chaddr), 6)
    .zeros(10 + 64 + 128)
    .u32(magic);
  for (const option of message.options) writer.u8(option.code).u8(option.data.length).bytes(option.data);
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
  reader.skip(4);
  const ciaddr = cidr(4, reader.uint(4));
  const yiaddr = cidr(4, reader.uint(4));
  reader.skip(8);
  const chaddr = macFromBits(reader.uint(6));
  reader.skip(10 + 64 + 128);
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
  return { op, xid, ciaddr, yiaddr, chaddr, options };
}
