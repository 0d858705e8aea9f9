/**
 * Ethernet II, 802.1Q/802.1ad tags and LLC/SNAP: the outermost layer of every frame. Knows nothing of payloads.
 */
import { Reader, Writer } from '../../base/bytes.ts';
import { type Mac, macFromBits, macToBits } from '../mac.ts';

export const etherTypes = {
  ipv4: 0x0800,
  arp: 0x0806,
  rarp: 0x8035,
  vlan: 0x8100,
  ipv6: 0x86dd,
  mpls: 0x8847,
  serviceVlan: 0x88a8,
} as const;

export interface VlanTag {
  readonly tpid: number;
  readonly tci: number;
}

export interface Ethernet {
  readonly dst: Mac;
  readonly src: Mac;
  /** Outermost first. */
  readonly tags: readonly VlanTag[];
  /** The ethertype of the payload; null for an 802.3 frame that carries no ethertype. */
  readonly type: number | null;
}

const isTag = (type: number): boolean => type === etherTypes.vlan || type === etherTypes.serviceVlan;
const minEtherType = 0x0600;
const snap = Buffer.from([0xaa, 0xaa, 0x03, 0, 0, 0]);

export function buildEthernet(header: Ethernet, payload: Uint8Array): Buffer {
  const writer = new Writer(18 + payload.length);
  writer.uint(macToBits(header.dst), 6).uint(macToBits(header.src), 6);
  for (const tag of header.tags) writer.u16(tag.tpid).u16(tag.tci);
  return writer
    .u16(header.type ?? payload.length)
    .bytes(payload)
    .done();
}

/** Null when the frame is shorter than its own header. */
export function parseEthernet(frame: Buffer): { header: Ethernet; payload: Buffer } | null {
  const reader = new Reader(frame);
  if (reader.left < 14) return null;
  const dst = macFromBits(reader.uint(6));
  const src = macFromBits(reader.uint(6));
  const tags: VlanTag[] = [];
  let type: number | null = reader.u16();
  while (isTag(type) && reader.left >= 4) {
    tags.push({ tpid: type, tci: reader.u16() });
    type = reader.u16();
  }
  if (type < minEtherType) {
    type = null;
    if (reader.left >= 8 && frame.subarray(reader.offset, reader.offset + 6).equals(snap)) {
      const inner = frame.readUInt16BE(reader.offset + 6);
      if (inner >= minEtherType) {
        reader.skip(8);
        type = inner;
      }
    }
  }
  return { header: { dst, src, tags, type }, payload: reader.rest() };
}
