/**
 * ARP (RFC 826) and RARP (RFC 903) of IPv4 over Ethernet; other hardware or protocol types do not parse.
 */
import { Reader, Writer } from '../../base/bytes.ts';
import { type Cidr, cidr } from '../cidr.ts';
import { type Mac, macFromBits, macToBits } from '../mac.ts';

export const arpOps = { request: 1, reply: 2, reverseRequest: 3, reverseReply: 4 } as const;

export interface Arp {
  readonly op: number;
  readonly sha: Mac;
  readonly spa: Cidr;
  readonly tha: Mac;
  readonly tpa: Cidr;
}

export function buildArp(arp: Arp): Buffer {
  return new Writer(28)
    .u16(1)
    .u16(0x0800)
    .u8(6)
    .u8(4)
    .u16(arp.op)
    .uint(macToBits(arp.sha), 6)
    .uint(arp.spa.bits, 4)
    .uint(macToBits(arp.tha), 6)
    .uint(arp.tpa.bits, 4)
    .done();
}

export function parseArp(payload: Buffer): Arp | null {
  const reader = new Reader(payload);
  if (reader.left < 28) return null;
  if (reader.u16() !== 1 || reader.u16() !== 0x0800 || reader.u8() !== 6 || reader.u8() !== 4) return null;
  return {
    op: reader.u16(),
    sha: macFromBits(reader.uint(6)),
    spa: cidr(4, reader.uint(4)),
    tha: macFromBits(reader.uint(6)),
    tpa: cidr(4, reader.uint(4)),
  };
}
