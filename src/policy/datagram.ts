/**
 * Reassembles fragments as the switch's connection tracking does, and refuses what it refuses.
 */
import { buildEthernet } from '../net/packet/ethernet.ts';
import { type Fragment, type Frame, type Ip, parseFrame } from '../net/packet/frame.ts';
import { buildIpv4 } from '../net/packet/ipv4.ts';
import { buildIpv6 } from '../net/packet/ipv6.ts';

/**
 * The smallest fragment, in bytes of IP, except the last. The userspace datapath refuses smaller ones, and its limit
 * cannot be set lower.
 */
export const minFragmentSize = 400;

interface Piece extends Fragment {
  readonly frame: Frame;
  readonly ip: Ip;
}

/** Bytes of the IP packet with its headers, without Ethernet padding. Of IPv6, only the first extension counts. */
const sizeOf = ({ ip, data }: Piece): number => data.length + (ip.family === 4 ? 20 : 48);

function pieceOf(frame: Frame): Piece | null {
  const { ip } = frame;
  if (ip === null || ip.fragment === null || !ip.sound) return null;
  return { ...ip.fragment, frame, ip };
}

function sameDatagram(a: Piece, b: Piece): boolean {
  const ids = a.id === b.id && a.ip.family === b.ip.family && a.protocol === b.protocol;
  return ids && a.ip.src.bits === b.ip.src.bits && a.ip.dst.bits === b.ip.dst.bits;
}

/** The pieces leave no gap, do not overlap, and only the last is without "more". */
function isComplete(pieces: readonly Piece[]): boolean {
  let expected = 0;
  return pieces.every((piece, at) => {
    const fits = piece.offset === expected && piece.more === at < pieces.length - 1;
    expected += piece.data.length;
    return fits && (!piece.more || sizeOf(piece) >= minFragmentSize);
  });
}

/** Its pieces travel one by one, so the largest of them is its size. */
function wholeOf(pieces: readonly Piece[], bytes: Buffer): Frame | null {
  const whole = parseFrame(bytes);
  const size = Math.max(...pieces.map(({ ip }) => ip.size));
  return whole?.ip ? { ...whole, ip: { ...whole.ip, size } } : whole;
}

/** The whole datagram behind the Ethernet header of its first piece; null when pieces are missing or wrong. */
export function reassemble(frames: readonly Frame[]): Frame | null {
  const pieces: Piece[] = [];
  for (const frame of frames) {
    const piece = pieceOf(frame);
    if (piece === null) return null;
    pieces.push(piece);
  }
  pieces.sort((a, b) => a.offset - b.offset);
  const [first] = pieces;
  if (first === undefined || !pieces.every((piece) => sameDatagram(first, piece)) || !isComplete(pieces))
    return null;
  // The userspace datapath counts a first piece from its upper layer on, so headers inside it leave a gap.
  if (first.data.length !== first.ip.payload.length) return null;
  const payload = Buffer.concat(pieces.map((piece) => piece.data));
  const { protocol } = first;
  const { src, dst, hopLimit } = first.ip;
  if (first.ip.family === 6) {
    const header = { src, dst, protocol, hopLimit, trafficClass: 0, flowLabel: 0, extensions: [] };
    return wholeOf(pieces, buildEthernet(first.frame.ethernet, buildIpv6(header, payload)));
  }
  const fields = { tos: 0, id: 0, dontFragment: false, moreFragments: false, fragmentOffset: 0 };
  const header = { src, dst, protocol, ttl: hopLimit, ...fields, options: Buffer.alloc(0) };
  return wholeOf(pieces, buildEthernet(first.frame.ethernet, buildIpv4(header, payload)));
}
