/**
 * The reference evaluator: one frame (or the fragments of one datagram) of one port on one host, to a verdict for
 * the sender and each receiver. It knows no OpenFlow; the pipeline's flows are measured against it.
 */
import { isMulticastMac } from '../net/mac.ts';
import { etherTypes } from '../net/packet/ethernet.ts';
import { type Ip, parseFrame } from '../net/packet/frame.ts';
import { icmpv6Types } from '../net/packet/icmpv6.ts';
import {
  commit,
  isEstablished,
  isOnRecord,
  type Lookup,
  lookUp,
  type Newcomers,
  type Tracker,
} from './conntrack.ts';
import { reassemble } from './datagram.ts';
import { addressees, replyTo } from './delivery.ts';
import { guardReceiver, guardSender } from './guard.ts';
import {
  icmpv6TypeOf,
  isDhcpFromServer,
  isListenerReport,
  isNeighbourDiscovery,
  type Subject,
} from './packet.ts';
import { admits, isUntracked } from './security-group.ts';
import { type DropReason, dropped, type Outcome, passed, type Verdict } from './verdict.ts';
import type { Direction, Port, PortId, World } from './world.ts';

/** What the packet's way through the host has learnt so far; `lookup` is null until somebody tracked it. */
interface Passage {
  tracker: Tracker;
  lookup: Lookup | null;
  /**
   * Whether rules may ask for ports and ICMP types. Not of a datagram in pieces that goes to several: its later
   * pieces cannot wait for the verdict on the first, as those of a connection of two do.
   */
  detailed: boolean;
  /** Who has let the packet on without being on its connection's record. */
  newcomers: Newcomers;
}

/** The one lookup of a packet, made where it is first asked for. */
function track(passage: Passage, { network }: Port, ip: Ip): Lookup {
  if (passage.lookup !== null) return passage.lookup;
  const { lookup, tracker } = lookUp(passage.tracker, network, ip);
  passage.lookup = lookup;
  passage.tracker = tracker;
  return lookup;
}

/**
 * Connection tracking and rules of one side. Tracks the packet unless the other side has done so, or unless the port
 * needs none: then only datagrams in pieces are, since that is how they are put together.
 */
function judge(
  world: World,
  port: Port,
  direction: Direction,
  { frame: { ip }, fragmented }: Subject,
  passage: Passage,
): DropReason | null {
  // A chain of headers that breaks off hides what the guards would have to see; it needs no rule to be refused.
  if (ip === null || (ip.family === 6 && !ip.sound)) return 'ct-invalid';
  const refusal = direction === 'egress' ? 'egress-rules' : 'ingress-rules';
  const untracked = isUntracked(world, port, ip.family);
  if (untracked && !fragmented) return admits(world, port, direction, ip) ? null : refusal;
  const lookup = track(passage, port, ip);
  if (lookup.state === 'invalid') return 'ct-invalid';
  const known = !untracked && isOnRecord(lookup, port.id, direction, ip.protocol);
  // While nobody has answered, rules judge on. Of pieces only the first shows what they ask for.
  if (known && (isEstablished(lookup) || fragmented)) return null;
  if (!admits(world, port, direction, ip, passage.detailed)) return refusal;
  if (!known)
    passage.newcomers = { ...passage.newcomers, [direction === 'egress' ? 'sender' : 'receiver']: true };
  return null;
}

/** What a receiver gets whatever its rules say: without it, addresses are neither found nor leased. */
function isAlwaysShown({ frame, fragmented }: Subject): boolean {
  const { ethernet, ip } = frame;
  if (ethernet.type === etherTypes.arp || ethernet.type === etherTypes.rarp) return true;
  if (ip === null) return false;
  if (isDhcpFromServer(ip)) return true;
  const type = fragmented ? null : icmpv6TypeOf(ip);
  return isNeighbourDiscovery(type) || type === icmpv6Types.listenerQuery || isListenerReport(type);
}

function leave(world: World, sender: Port, subject: Subject, passage: Passage): DropReason | null {
  if (sender.mode === 'off') return null;
  const guard = guardSender(world, sender, subject);
  if (guard.answer === 'drop') return guard.reason;
  if (guard.answer === 'bypass' || subject.frame.ip === null) return null;
  return judge(world, sender, 'egress', subject, passage);
}

/** Each receiver of a copy decides for itself, on what one lookup said before any of them committed. */
function arrive(
  world: World,
  sender: Port,
  [copy, receiver]: readonly [number, Port],
  subject: Subject,
  passage: Passage,
): Outcome {
  if (!receiver.adminUp) return dropped('admin-down');
  const own: Passage = { ...passage };
  const { frame } = subject;
  if (receiver.mode !== 'off') {
    const reason = guardReceiver(world, receiver, frame);
    if (reason !== null) return dropped(reason);
    if (!isAlwaysShown(subject)) {
      const refused = judge(world, receiver, 'ingress', subject, own);
      passage.tracker = own.tracker;
      passage.lookup = own.lookup;
      if (refused !== null) return dropped(refused);
    }
  }
  const forgotten = isMulticastMac(frame.ethernet.dst) || (subject.fragmented && !own.detailed);
  const { newcomers, lookup } = own;
  if (lookup === null || forgotten || !(newcomers.sender || newcomers.receiver)) return passed;
  // Pieces are let go by the record of their connection alone, so it names the receiver; an error changes no record.
  if (subject.fragmented && lookup.state === 'known' && lookup.related) return dropped('ct-invalid');
  const recorded = subject.fragmented && newcomers.sender ? { sender: true, receiver: true } : newcomers;
  passage.tracker = commit(own.tracker, lookup, [sender.id, receiver.id], recorded, copy);
  return passed;
}

function evaluateSubject(
  world: World,
  host: string,
  tracker: Tracker,
  sender: Port,
  subject: Subject,
): Verdict {
  const multicast = isMulticastMac(subject.frame.ethernet.dst);
  const passage: Passage = {
    tracker,
    lookup: null,
    detailed: !(subject.fragmented && multicast),
    newcomers: { sender: false, receiver: false },
  };
  const receivers = new Map<PortId, Outcome>();
  const end = (outcome: Outcome, reply: Verdict['reply'] = null): Verdict => ({
    sender: outcome,
    receivers,
    reply,
    tracker: passage.tracker,
  });
  const reason = leave(world, sender, subject, passage);
  if (reason !== null) return end(dropped(reason));
  const reply = subject.fragmented ? null : replyTo(world, sender, subject.frame);
  if (reply !== null) return end(passed, reply);
  const meant = addressees(world, host, sender, subject.frame);
  const ports = [...meant.entries()].filter(([, { id }]) => id !== sender.id);
  if (ports.length === 0 && !multicast) return end(dropped('unknown-destination'));
  const several = multicast || meant.length > 1;
  if (subject.fragmented && several) passage.detailed = false;
  // Where one lookup serves several, pieces that it finds invalid end with it: they may be anybody's.
  const { fragmented, frame } = subject;
  const stray =
    fragmented && several && frame.ip !== null && track(passage, sender, frame.ip).state === 'invalid';
  for (const [copy, port] of ports)
    receivers.set(
      port.id,
      stray ? dropped('ct-invalid') : arrive(world, sender, [copy, port], subject, passage),
    );
  return end(passed);
}

/** The sending port, when it may send at all. */
function senderOf(world: World, host: string, id: PortId): Port | null {
  const port = world.ports.get(id);
  if (port === undefined || port.host !== host || !port.adminUp) return null;
  return world.networks.get(port.network)?.adminUp === true ? port : null;
}

/**
 * The verdict on one frame that `sender` put on its wire on `host`. A lone fragment never gets through connection
 * tracking; use `evaluateDatagram` for all pieces of a datagram.
 */
export function evaluate(
  world: World,
  host: string,
  tracker: Tracker,
  sender: PortId,
  bytes: Buffer,
): Verdict {
  const nothing = { receivers: new Map<PortId, Outcome>(), reply: null, tracker };
  const port = senderOf(world, host, sender);
  if (port === null) return { ...nothing, sender: dropped('admin-down') };
  const frame = parseFrame(bytes);
  if (frame === null) return { ...nothing, sender: dropped('mac-spoof') };
  const fragmented = (frame.ip?.fragment ?? null) !== null;
  return evaluateSubject(world, host, tracker, port, { frame, fragmented });
}

/**
 * The verdict on a datagram sent in pieces. "Passed" of a receiver means that every piece reaches it. Each piece must
 * pass the sender's guard by itself; tracking then judges the whole.
 */
export function evaluateDatagram(
  world: World,
  host: string,
  tracker: Tracker,
  sender: PortId,
  pieces: readonly [Buffer, ...Buffer[]],
): Verdict {
  const port = senderOf(world, host, sender);
  const frames = pieces.map(parseFrame).filter((frame) => frame !== null);
  const alone = evaluate(world, host, tracker, sender, pieces[0]);
  if (port === null || pieces.length === 1 || frames.length < pieces.length) return alone;
  for (const frame of port.mode === 'off' ? [] : frames) {
    const guard = guardSender(world, port, { frame, fragmented: true });
    if (guard.answer !== 'drop') continue;
    return { sender: dropped(guard.reason), receivers: new Map(), reply: null, tracker };
  }
  const whole = reassemble(frames);
  // What does not come together is a row of lone fragments: nobody whose packets are tracked gets any.
  return whole === null
    ? alone
    : evaluateSubject(world, host, tracker, port, { frame: whole, fragmented: true });
}
