/** Frames inside Geneve (RFC 8926) or VXLAN (RFC 7348), as a tunnel endpoint or a forger sends them over IPv4. */
import type { Cidr } from '../../src/net/cidr.ts';
import type { Mac } from '../../src/net/mac.ts';
import { udpFrame } from './frames.ts';

export interface Outer {
  readonly from: Mac;
  readonly to: Mac;
  readonly src: Cidr;
  readonly dst: Cidr;
  readonly vni: number;
}

const ports = { geneve: 6081, vxlan: 4789 } as const;
const transparentEthernet = 0x6558;

/** The option with a port's key; null sends none. */
export function inGeneve(outer: Outer, key: number | null, inner: Uint8Array): Buffer {
  const option = Buffer.alloc(key === null ? 0 : 8);
  if (key !== null) {
    option.writeUInt16BE(0xff5c, 0);
    option.writeUInt8(0x81, 2);
    option.writeUInt8(1, 3);
    option.writeUInt32BE(key, 4);
  }
  const header = Buffer.alloc(8);
  header.writeUInt8(option.length / 4, 0);
  header.writeUInt8(key === null ? 0 : 0x40, 1);
  header.writeUInt16BE(transparentEthernet, 2);
  header.writeUIntBE(outer.vni, 4, 3);
  return udpFrame(outer, 40000, ports.geneve, Buffer.concat([header, option, inner]));
}

export function inVxlan(outer: Outer, inner: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(0x08, 0);
  header.writeUIntBE(outer.vni, 4, 3);
  return udpFrame(outer, 40000, ports.vxlan, Buffer.concat([header, inner]));
}
