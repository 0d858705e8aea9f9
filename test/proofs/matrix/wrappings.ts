/**
 * The wrappings of the spoof matrix: tags, IPv6 extension headers, atomic and real fragments. Each has its
 * change to a frame and the resulting verdict.
 */
import type { Extension } from '../../../src/net/packet/ipv6.ts';
import { fragmentsOf, tagged } from '../../lib/frames.ts';

export interface Wrapping {
  readonly name: string;
  /**
   * open: judged as without it. tag: never allowed. cut: fragments of valid size; the upper layer is visible
   * only after reassembly. shreds: fragments that connection tracking refuses to reassemble. hollow: an IPv6
   * packet with length 0; the switch reads no further, but a guest does.
   */
  readonly effect: 'open' | 'tag' | 'cut' | 'shreds' | 'hollow';
  readonly extensions: readonly Extension[];
  readonly apply: (frame: Buffer, id: number) => readonly [Buffer, ...Buffer[]];
}

const same = (frame: Buffer): readonly [Buffer] => [frame];
const options = (header: 0 | 60, size = 6): Extension => ({ kind: 'plain', header, body: padding(size) });
const routing: Extension = { kind: 'plain', header: 43, body: Buffer.alloc(6) };
const atomic: Extension = { kind: 'fragment', offset: 0, more: false, id: 77 };

/** One PadN option (RFC 8200 4.2) over `size` bytes; at most 257. */
function padding(size: number): Buffer {
  const body = Buffer.alloc(size);
  body.writeUInt8(1, 0);
  body.writeUInt8(size - 2, 1);
  return body;
}

const wrapping = (
  name: string,
  effect: Wrapping['effect'],
  apply: Wrapping['apply'],
  extensions: readonly Extension[] = [],
): Wrapping => ({ name, effect, extensions, apply });

export const tags: readonly Wrapping[] = [
  wrapping('plain', 'open', same),
  wrapping('802.1Q', 'tag', (frame) => [tagged(frame)]),
  wrapping('802.1Q priority only', 'tag', (frame) => [tagged(frame, 0x8100, 0xe000)]),
  wrapping('802.1ad', 'tag', (frame) => [tagged(tagged(frame), 0x88a8)]),
];

const fairCut = 1248;

export const fragments: readonly Wrapping[] = [
  wrapping('fragments', 'cut', (frame, id) => fragmentsOf(frame, [fairCut], id)),
  wrapping('tiny first fragment', 'shreds', (frame, id) => fragmentsOf(frame, [8], id)),
  wrapping('first fragment alone', 'shreds', (frame, id) => [fragmentsOf(frame, [fairCut], id)[0]]),
];

export const paddings: readonly Wrapping[] = [
  wrapping('padding', 'open', (frame) => [Buffer.concat([frame, Buffer.alloc(46)])]),
  wrapping('much padding', 'open', (frame) => [Buffer.concat([frame, Buffer.alloc(256)])]),
];

/**
 * Sets the payload length of an IPv6 frame to 0, which a receiver must not read as "empty" behind hop-by-hop
 * options.
 */
function hollowed(frame: Buffer): Buffer {
  const copy = Buffer.from(frame);
  copy.writeUInt16BE(0, 14 + 4);
  return copy;
}

export const extensionHeaders: readonly Wrapping[] = [
  wrapping('hop-by-hop', 'open', same, [options(0)]),
  wrapping('long hop-by-hop', 'open', same, [options(0, 254)]),
  wrapping('destination options', 'open', same, [options(60)]),
  wrapping('routing header', 'open', same, [routing]),
  wrapping('atomic fragment', 'open', same, [atomic]),
  wrapping('atomic fragment behind hop-by-hop', 'open', same, [options(0), atomic]),
  wrapping('destination options behind an atomic fragment', 'open', same, [atomic, options(60)]),
  wrapping('three kinds of headers', 'open', same, [options(0), options(60), routing, options(60)]),
  wrapping(
    'upper layer pushed out of the first fragment',
    'shreds',
    (frame, id) => fragmentsOf(frame, [8], id, true),
    [options(60)],
  ),
  wrapping(
    'fragments with options inside',
    'shreds',
    (frame, id) => fragmentsOf(frame, [fairCut], id, true),
    [options(60)],
  ),
  wrapping('length 0 behind hop-by-hop', 'hollow', (frame) => [hollowed(frame)], [options(0)]),
];

export const wrappings4: readonly Wrapping[] = [...tags, ...paddings, ...fragments];
export const wrappings6: readonly Wrapping[] = [...tags, ...paddings, ...fragments, ...extensionHeaders];

/** Upper layers have this length, so that a valid cut leaves two fragments. */
export const longBody = 2000;
export const isCut = ({ effect }: Wrapping): boolean => effect === 'cut' || effect === 'shreds';
