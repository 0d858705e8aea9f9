/**
 * Compares what the evaluator expects of each step with what a switch did. Reasons are not compared: a frame may be
 * wrong in two ways.
 */
import { etherTypes } from '../../src/net/packet/ethernet.ts';
import { parseFrame } from '../../src/net/packet/frame.ts';
import { parseNeighbour } from '../../src/net/packet/icmpv6.ts';
import {
  type ConnectionRecord,
  emptyTracker,
  type RecordSlots,
  type Tracker,
} from '../../src/policy/conntrack.ts';
import { evaluateDatagram } from '../../src/policy/evaluator.ts';
import type { Admission, ConnectionTuple } from '../../src/policy/standing.ts';
import type { Outcome, Reply, Verdict } from '../../src/policy/verdict.ts';
import type { NetworkId, PortId, World } from '../../src/policy/world.ts';
import { ip } from '../lib/frames.ts';
import type { Observation, Step } from './driver.ts';
import { stepText } from './telling.ts';
import { host } from './worlds.ts';

export interface Difference {
  readonly step: Step;
  readonly expected: string;
  readonly observed: string;
  readonly verdict: Verdict;
  /** Hexadecimal, for the switch's own trace. */
  readonly frames: readonly string[];
}

/** The verdicts on successive steps; each sees the connections that earlier steps made. */
export function verdictsOn(world: World, steps: readonly Step[], start: Tracker = emptyTracker): Verdict[] {
  let tracker = start;
  return steps.map(({ sender, frames }) => {
    const [first, ...others] = frames;
    if (first === undefined) throw new Error('a step has at least one frame');
    const verdict = evaluateDatagram(world, host, tracker, sender, [first, ...others]);
    tracker = verdict.tracker;
    return verdict;
  });
}

const listed = (slots: RecordSlots): PortId[] => [...new Set(slots.filter((port) => port !== null))];

/** A connection of the tracker, as `standing` takes it. */
export function liveConnection(
  key: string,
  { originators, receivers }: ConnectionRecord,
): ConnectionTuple & Admission {
  const [network = '', protocol = '', src = '', from = '', dst = '', to = ''] = key.split('|');
  const [, query] = from.split('/');
  const ports = { kind: 'ports', src: Number(from), dst: Number(to) } as const;
  return {
    network: network as NetworkId,
    protocol: Number(protocol),
    src: ip(src),
    dst: ip(dst),
    detail: from === '' ? null : query === undefined ? ports : { kind: 'icmp', type: Number(query), code: 0 },
    originators: listed(originators),
    responders: listed(receivers),
  };
}

const textOf = ({ kind, address, mac }: Reply): string =>
  `${kind} answer ${address.bits.toString(16)} is at ${mac}`;

/** The text of one frame that came back to the sender. */
function readAnswer(bytes: Buffer): string {
  const frame = parseFrame(bytes);
  const arp = frame?.arp;
  if (arp && frame.ethernet.type === etherTypes.arp && arp.op === 2 && frame.ethernet.src === arp.sha) {
    return textOf({ kind: 'arp', address: arp.spa, mac: arp.sha });
  }
  const upper = frame?.ip?.upper;
  const told = upper?.kind === 'icmp' && upper.sound && upper.type === 136 ? parseNeighbour(upper) : null;
  // The answer to a probe goes to all nodes, and has no option: the switch can add none.
  const isToAll = frame?.ethernet.dst === '33:33:00:00:00:01' && told?.targetMac === null;
  const mac = isToAll ? frame.ethernet.src : (told?.targetMac ?? null);
  if (told !== null && mac !== null) return textOf({ kind: 'nd', address: told.target, mac });
  return `unexpected frame ${bytes.toString('hex')}`;
}

/** Whom a verdict lets get the frame, or what the switch answers. */
export function textOfVerdict({ sender, receivers, reply }: Omit<Verdict, 'tracker'>): string {
  if (sender.outcome === 'dropped') return '';
  if (reply !== null) return textOf(reply);
  return [...receivers]
    .filter(([, { outcome }]) => outcome === 'passed')
    .map(([id]) => id)
    .sort()
    .join(' ');
}

/** Pieces of a refused datagram must not arrive, so a part that arrives shows as a difference. */
export function textOfObservation({ delivered, partial, answers }: Observation): string {
  const some = [...partial].sort().map((id) => `a part at ${id}`);
  return [...[...delivered].sort(), ...some, ...answers.map(readAnswer)].join(' ');
}

export function differenceText({ step, expected, observed, verdict, frames }: Difference): string {
  const { sender, receivers } = verdict;
  const word = (outcome: Outcome): string => (outcome.outcome === 'passed' ? 'passed' : outcome.reason);
  const heard = [...receivers].map(([id, outcome]) => `${id} ${word(outcome)}`);
  return [
    stepText(step),
    `expected '${expected}', observed '${observed}'`,
    `the evaluator: sender ${word(sender)}, receivers ${heard.join()}`,
    ...frames.map((frame) => frame.slice(0, 400)),
  ].join('\n');
}

/** The steps on which switch and evaluator disagree, in order. */
export function differences(
  world: World,
  steps: readonly Step[],
  observations: readonly Observation[],
  start: Tracker = emptyTracker,
): Difference[] {
  const verdicts = verdictsOn(world, steps, start);
  return steps.flatMap((step, at) => {
    const verdict = verdicts[at];
    const observation = observations[at];
    if (verdict === undefined || observation === undefined) throw new Error('one observation for each step');
    const expected = textOfVerdict(verdict);
    const observed = textOfObservation(observation);
    if (expected === observed) return [];
    return [{ step, expected, observed, verdict, frames: step.frames.map((frame) => frame.toString('hex')) }];
  });
}
