/** Frames inside Geneve (RFC 8926) or VXLAN (RFC 7348), as a tunnel endpoint or a forger sends them. */
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

/** One option. The highest bit of the type says that who does not know it drops the packet. */
export function geneveOption(optionClass: number, type: number, words: readonly number[]): Buffer {
  const option = Buffer.alloc(4 + 4 * words.length);
  option.writeUInt16BE(optionClass, 0);
  option.writeUInt8(type, 2);
  option.writeUInt8(words.length, 3);
  for (const [at, word] of words.entries()) option.writeUInt32BE(word, 4 + 4 * at);
  return option;
}

/** The option with a port's key. */
export const keyOption = (key: number): Buffer => geneveOption(0xff5c, 0x81, [key]);

export interface GeneveHeader {
  /** Of all options, in words; what they have when left out. */
  readonly optionWords?: number;
  readonly version?: number;
  readonly protocol?: number;
}

export function inGeneve(
  outer: Outer,
  options: readonly Buffer[],
  inner: Uint8Array,
  said: GeneveHeader = {},
): Buffer {
  const all = Buffer.concat(options);
  const { optionWords = all.length / 4, version = 0, protocol = transparentEthernet } = said;
  const header = Buffer.alloc(8);
  header.writeUInt8((version << 6) | optionWords, 0);
  header.writeUInt8(all.length === 0 ? 0 : 0x40, 1);
  header.writeUInt16BE(protocol, 2);
  header.writeUIntBE(outer.vni, 4, 3);
  return udpFrame(outer, 40000, ports.geneve, Buffer.concat([header, all, inner]));
}

/** `flags`: 8 says that the header has a VNI. */
export function inVxlan(outer: Outer, inner: Uint8Array, flags = 0x08): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(flags, 0);
  header.writeUIntBE(outer.vni, 4, 3);
  return udpFrame(outer, 40000, ports.vxlan, Buffer.concat([header, inner]));
}
