/**
 * Generated conversations between two ports: a request, its answer and more of both. Later packets thus
 * inherit from earlier ones. Every kind can come whole or in fragments, in either direction, in any order of
 * the fragments, and sometimes incomplete.
 */
import fc from 'fast-check';
import { tcpFlags } from '../../src/net/packet/transport.ts';
import type { PortId } from '../../src/policy/world.ts';
import { echoFrame, fragmentsOf, type Network, sctpFrame, tcpFrame, udpFrame } from '../lib/frames.ts';
import type { Step } from './driver.ts';
import { forwarded, type Route } from './forwarding.ts';

const { syn, ack, fin, rst } = tcpFlags;

/** Two ports that communicate; `there` is the direction of the first packet. */
export interface Pair {
  readonly a: PortId;
  readonly b: PortId;
  readonly there: Network;
  /** Other ports that may answer with the identity of `b`. */
  readonly namesakes: readonly PortId[];
  readonly route: Route;
}

export const turned = ({ from, to, src, dst, ...rest }: Network): Network => ({
  ...rest,
  from: to,
  to: from,
  src: dst,
  dst: src,
});

/** The body size of a frame. */
type Frame = (size: number) => Buffer;
type Cut = (frame: Frame) => Buffer[];

/** Small enough for a link, and large enough for two valid cuts. */
const [small, large] = [40, 2600];
const whole: Cut = (frame) => [frame(small)];
/** Fragment sizes down to the userspace datapath's minimum, and below. */
const cuts: readonly (readonly number[])[] = [
  [1248],
  [1248, 2496],
  [400, 1552],
  [384, 784, 1248, 2496],
  [376, 1248],
];

let given = 0;
/** Remaining fragments wait beyond the end of a world, so every datagram has its own number. */
export function nextDatagram(): number {
  given = (given % 0xffff) + 1;
  return given;
}

function cutArbitrary(): fc.Arbitrary<Cut> {
  const pieces = fc
    .tuple(fc.constantFrom(...cuts), fc.constantFrom('ordered', 'ordered', 'reversed', 'first', 'rest'))
    .map(([at, which]): Cut => {
      return (frame) => {
        const all = fragmentsOf(frame(large), at, nextDatagram());
        if (which === 'reversed') return all.reverse();
        if (which === 'first') return all.slice(0, 1);
        return which === 'rest' ? all.slice(1) : all;
      };
    });
  return fc.oneof({ weight: 2, arbitrary: fc.constant(whole) }, { weight: 3, arbitrary: pieces });
}

interface Line {
  readonly back: boolean;
  readonly frame: Frame;
}

/** Datagrams of one conversation, so many in each direction. */
function datagrams(
  say: (layer: Network, back: boolean, size: number) => Buffer,
  { there }: Pair,
): fc.Arbitrary<Line[]> {
  return fc.array(fc.boolean(), { minLength: 2, maxLength: 5 }).map((ways) =>
    [false, ...ways].map((back) => ({
      back,
      frame: (size: number) => say(back ? turned(there) : there, back, size),
    })),
  );
}

/** A handshake, data in both directions and an end, or a part of it. */
function segments({ there }: Pair, port: number, dst: number): fc.Arbitrary<Line[]> {
  const back = turned(there);
  const one = (flags: number, seq: number, ackOf: number): Line => ({
    back: false,
    frame: () => tcpFrame(there, port, dst, flags, { seq, ack: ackOf }),
  });
  const other = (flags: number, seq: number, ackOf: number): Line => ({
    back: true,
    frame: () => tcpFrame(back, dst, port, flags, { seq, ack: ackOf }),
  });
  const all = [
    one(syn, 1000, 0),
    other(syn | ack, 5000, 1001),
    one(ack, 1001, 5001),
    other(ack, 5001, 1001),
    one(ack, 1001, 5001),
  ];
  const ends = [[], [one(fin | ack, 1001, 5001)], [one(rst, 1001, 0)]];
  return fc
    .tuple(
      fc.constantFrom(0, 0, 0, 1, 2, 3),
      fc.integer({ min: 2, max: all.length }),
      fc.constantFrom(...ends),
    )
    .map(([from, to, end]) => [...all.slice(from, Math.max(to, from + 2)), ...end]);
}

const withCuts = (lines: readonly Line[]): fc.Arbitrary<readonly (Line & { cut: Cut })[]> =>
  fc
    .tuple(...lines.map(() => cutArbitrary()))
    .map((drawn) => lines.map((line, at) => ({ ...line, cut: drawn[at] ?? whole })));

const dstPorts = [22, 80, 2000, 2001] as const;

/**
 * A conversation that meets nothing else in the world while its `number` in [0, 4000) is unique: it is the
 * port of the originator.
 */
export function talkArbitrary(pair: Pair, number: number): fc.Arbitrary<Step[]> {
  const port = 10_000 + number;
  const dst = fc.constantFrom(...dstPorts);
  const plain = (lines: readonly Line[]) => lines.map((line) => ({ ...line, cut: whole }));
  const udp = dst.chain((to) =>
    datagrams(
      (layer, back, size) => udpFrame(layer, back ? to : port, back ? port : to, Buffer.alloc(size)),
      pair,
    ).chain((lines) => withCuts(lines)),
  );
  const client = pair.there.src.family === 4 ? 68 : 546;
  /** To a DHCP client's port: only a server may answer it. */
  const dhcp = datagrams((layer, back, size) => {
    const [from, to] = [client, 20_000 + number];
    return udpFrame(layer, back ? to : from, back ? from : to, Buffer.alloc(size));
  }, pair).chain((lines) => withCuts(lines));
  const echo = datagrams(
    (layer, back, size) => echoFrame(layer, back ? 'reply' : 'request', port, size),
    pair,
  ).chain((lines) => withCuts(lines));
  const tcp = dst.chain((to) => segments(pair, port, to).map(plain));
  const sctp = dst.chain((to) =>
    datagrams((layer, back) => sctpFrame(layer, back ? to : port, back ? port : to), pair).map(plain),
  );
  return fc
    .oneof(
      { weight: 5, arbitrary: udp },
      { weight: 3, arbitrary: echo },
      { weight: 3, arbitrary: tcp },
      { weight: 1, arbitrary: sctp },
      { weight: 1, arbitrary: dhcp },
    )
    .chain((lines) =>
      fc
        .tuple(
          ...lines.map(({ back }) => fc.constantFrom(...(back ? [pair.b, ...pair.namesakes] : [pair.a]))),
        )
        .map((speakers) =>
          lines.flatMap(({ back, frame, cut }, at) =>
            forwarded(
              { sender: speakers[at] ?? pair.a, frames: cut(frame) },
              pair.route[back ? 'back' : 'there'],
            ),
          ),
        ),
    );
}
