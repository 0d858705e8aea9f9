/**
 * The reference evaluator: the way of one frame (or of the pieces of one datagram) from a port to its receivers.
 *
 * Idea: each host judges its own ports. A tunnel carries the frame, its network and its sender; the other host takes
 * the sender's side as judged, looks the packet up in its own connections, and judges its receivers. A physical network
 * carries the frame alone: each host that is bridged to it takes it as from nobody.
 * So a host knows only the connections that it has tracked: where a third port forwards an answer on a host that has seen
 * nothing of the connection, that answer is invalid there. On one host it would pass.
 * Invariants: no OpenFlow here, so that the pipeline's flows can be measured against it. Each decision is a step.
 */
import { tunnelBetween } from '../model/vtep.ts';
import { isMulticastMac } from '../net/mac.ts';
import { etherTypes } from '../net/packet/ethernet.ts';
import { type Frame, parseFrame } from '../net/packet/frame.ts';
import { icmpv6Types } from '../net/packet/icmpv6.ts';
import { commitConnection, emptyTracker, type Tracker } from './conntrack.ts';
import { reassemble } from './datagram.ts';
import { addressees, replyTo, tunnelledSender } from './delivery.ts';
import { isAnsweredDhcp, isAnsweredSolicitation } from './dhcp-service.ts';
import type { DropReason } from './drop-reasons.ts';
import { guardReceiver, guardSender } from './guard.ts';
import { identityOf } from './identity.ts';
import {
  isConfined,
  outerSender,
  refusalAt,
  refusalOutside,
  rolesText,
  type SenderRole,
} from './isolation.ts';
import { arrivalOf, asAnnounced, notSentFrom } from './moves.ts';
import {
  icmpv6TypeOf,
  isDhcpFromServer,
  isListenerReport,
  isNeighbourDiscovery,
  type Subject,
} from './packet.ts';
import { drop, type Passage, pass, track } from './passage.ts';
import { carries, isOwnMac, leavesFor, untagged } from './physical.ts';
import { proxyAnswer, toDhcpServer } from './proxy.ts';
import { type Entrance, entrances, errorOf, route, routerOfPort } from './routing.ts';
import { checkRules } from './rule-check.ts';
import { claimedBy, groundOf, heardAs, speaksFrom } from './step-address.ts';
import { dropped, type Outcome, passed, type Reply, type Step } from './verdict.ts';
import type { NetworkId, Port, PortId, World } from './world.ts';

/** Where a frame enters: a port, and the host that it is plugged into. */
export interface Where {
  readonly host: string;
  readonly port: PortId;
  /** Other hosts are not judged: what leaves for them counts as passed. For who does not know their ports' rules. */
  readonly onlyHere?: boolean;
  /** The port's host, where the frame has left it through a tunnel: `host` judges the rest of its way. */
  readonly from?: string;
}

/** Where a packet is judged, and whether other hosts are judged too. */
type Place = Required<Pick<Where, 'host' | 'onlyHere'>>;

/** The connections that each host knows; a host that is not here knows none. */
export type Trackers = ReadonlyMap<string, Tracker>;

/** One frame, or all pieces of one datagram. */
export type Pieces = readonly [Buffer, ...Buffer[]];

export interface Walk {
  readonly steps: readonly Step[];
  /** Whether the frame left the sender's side: a frame that no receiver accepts has still passed. */
  readonly sender: Outcome;
  /** Every port that the frame was taken to, on whichever host. */
  readonly receivers: ReadonlyMap<PortId, Outcome>;
  /** When set, the sender's switch answered and took the frame to nobody. */
  readonly reply: Reply | null;
  /** Whether the sender's host put the frame onto the physical network; null where it was not for there. */
  readonly physical: Outcome | null;
  readonly trackers: Trackers;
}

/** Every receiver gets these whatever its rules say: without them, addresses are neither found nor leased. */
function isAlwaysShown({ frame, fragmented }: Subject): boolean {
  const { ethernet, ip } = frame;
  if (ethernet.type === etherTypes.arp || ethernet.type === etherTypes.rarp) return true;
  if (ip === null) return false;
  if (isDhcpFromServer(ip)) return true;
  const type = fragmented ? null : icmpv6TypeOf(ip);
  return isNeighbourDiscovery(type) || type === icmpv6Types.listenerQuery || isListenerReport(type);
}

function leave(world: World, sender: Port, subject: Subject, passage: Passage): DropReason | null {
  const { frame } = subject;
  const address = speaksFrom(frame);
  if (sender.mode === 'off') {
    const { src } = frame.ethernet;
    if (isConfined(world, sender) && !identityOf(world, sender).macs.has(src))
      return drop(passage, sender.id, 'egress-guard', 'isolated', src);
    pass(passage, sender.id, 'egress-guard', 'port-security-off', { address });
    return null;
  }
  const guard = guardSender(world, sender, subject);
  if (guard.answer === 'drop')
    return drop(passage, sender.id, 'egress-guard', guard.reason, claimedBy(frame, guard.reason));
  const reason = guard.answer === 'bypass' ? guard.reason : groundOf(sender, frame);
  pass(passage, sender.id, 'egress-guard', reason, { address });
  if (guard.answer === 'bypass' || frame.ip === null) return null;
  return checkRules(world, sender, 'egress', subject, passage);
}

/** Pieces pass by the record of their connection alone, and an ICMP error changes no record. */
function isLostInPieces({ fragmented }: Subject, { lookup, newcomers }: Passage): boolean {
  const related = lookup?.state === 'known' && lookup.related;
  return fragmented && related && (newcomers.sender || newcomers.receiver);
}

/** Puts newcomers on the connection record. Multicast, and pieces to several ports, leave no record. */
function remember(
  [sender, receiver]: readonly [PortId | null, PortId | null],
  copy: number,
  { frame, fragmented }: Subject,
  own: Passage,
): DropReason | null {
  const { newcomers, lookup } = own;
  const about = receiver ?? sender;
  if (lookup === null || isMulticastMac(frame.ethernet.dst) || (fragmented && !own.detailed)) return null;
  if (!(newcomers.sender || newcomers.receiver)) return null;
  if (isLostInPieces({ frame, fragmented }, own))
    return about === null ? 'ct-invalid' : drop(own, about, 'connection-record', 'ct-invalid');
  const recorded = fragmented && newcomers.sender ? { sender: true, receiver: true } : newcomers;
  const before = own.tracker;
  own.tracker = commitConnection(before, lookup, [sender, receiver], recorded, copy);
  if (own.tracker !== before && about !== null) pass(own, about, 'connection-record', 'recorded');
  return null;
}

/** A port, or somebody outside of whom only a role is known. */
type Sender = Port | SenderRole;
const idOf = (sender: Sender): PortId | null => ('id' in sender ? sender.id : null);

/** Each receiver of a copy decides for itself, on what one lookup said before any of them committed. */
function arrive(
  world: World,
  sender: Sender,
  [copy, receiver]: readonly [number, Port],
  subject: Subject,
  passage: Passage,
): DropReason | null {
  const { id, mode } = receiver;
  const { frame } = subject;
  if (!receiver.adminUp) return drop(passage, id, 'port', 'admin-down');
  const own: Passage = { ...passage };
  const forbidden = refusalAt(world, sender, receiver, subject);
  if (forbidden !== null) return drop(own, id, 'isolation', forbidden, null, rolesText(sender, receiver));
  if (mode === 'off') pass(own, id, 'ingress-guard', 'port-security-off');
  else {
    const reason = guardReceiver(world, receiver, frame);
    if (reason !== null) return drop(own, id, 'ingress-guard', reason, claimedBy(frame, reason));
    if (isAlwaysShown(subject)) pass(own, id, 'ingress-guard', 'address-resolution');
    else {
      pass(own, id, 'ingress-guard', heardAs(world, receiver, frame), { address: frame.ip?.dst ?? null });
      const refused = checkRules(world, receiver, 'ingress', subject, own);
      passage.tracker = own.tracker;
      passage.lookup = own.lookup;
      passage.newcomers = { ...passage.newcomers, sender: own.newcomers.sender };
      if (refused !== null) return refused;
    }
  }
  const lost = remember([idOf(sender), id], copy, subject, own);
  passage.tracker = own.tracker;
  if (lost !== null) return lost;
  pass(own, id, 'output', 'delivered');
  return null;
}

/**
 * A record that is still empty gets a port of the other host too; later ports of other hosts are not put on record. The
 * other host decides whether the packet arrives. Outside is nobody, null.
 */
function depart(
  sender: PortId | null,
  [copy, receiver]: readonly [number, Port | null],
  subject: Subject,
  passage: Passage,
): DropReason | null {
  const own: Passage = { ...passage };
  const lost = remember([sender, receiver?.id ?? null], copy, subject, own);
  passage.tracker = own.tracker;
  return lost;
}

class Walking {
  readonly #world: World;
  readonly #steps: Step[];
  readonly #trackers: Map<string, Tracker>;
  readonly #receivers = new Map<PortId, Outcome>();
  #physical: Outcome | null = null;

  constructor(world: World, steps: Step[], trackers: Trackers) {
    this.#world = world;
    this.#steps = steps;
    this.#trackers = new Map(trackers);
  }

  end(sender: Outcome, reply: Reply | null = null): Walk {
    return {
      steps: this.#steps,
      sender,
      receivers: this.#receivers,
      reply,
      physical: this.#physical,
      trackers: this.#trackers,
    };
  }

  /** The sender's host, and from there each other host that has a receiver. */
  from({ host, onlyHere = false }: Where, sender: Port, subject: Subject): Walk {
    const passage = this.#passage(host, sender.network, subject);
    const { dst } = subject.frame.ethernet;
    const towards = entrances(this.#world, host, sender.network).find(({ port }) => port.mac === dst);
    passage.via = towards?.router ?? null;
    const reason = leave(this.#world, sender, subject, passage);
    this.#keep(passage);
    if (reason !== null) return this.end(dropped(reason));
    if (isAnsweredDhcp(this.#world, sender, subject)) {
      pass(passage, sender.id, 'responder', 'dhcp-answered');
      return this.end(passed);
    }
    if (isAnsweredSolicitation(this.#world, sender, subject)) {
      pass(passage, sender.id, 'responder', 'solicitation-answered');
      return this.end(passed);
    }
    const proxied = proxyAnswer(this.#world, sender, subject);
    const usual = subject.fragmented ? null : replyTo(this.#world, host, sender, subject.frame);
    const reply = proxied === null ? usual : proxied.reply;
    if (reply !== null) {
      pass(passage, sender.id, 'responder', 'answered', { address: reply.address });
      return this.end(passed, reply);
    }
    const notHere = notSentFrom(this.#world, host, sender, subject.frame);
    if (notHere !== null) return this.end(dropped(drop(passage, sender.id, 'port', notHere)));
    const forwarded = toDhcpServer(this.#world, sender, subject);
    if (forwarded !== subject)
      pass(passage, sender.id, 'responder', 'to-dhcp-server', { address: forwarded.frame.ethernet.dst });
    return this.end(this.#forward({ host, onlyHere }, sender, forwarded, passage));
  }

  /** To the ports that have the destination, or into a router. */
  #forward(where: Place, sender: Port, subject: Subject, passage: Passage): Outcome {
    const { host, onlyHere } = where;
    const { dst } = subject.frame.ethernet;
    const entrance = entrances(this.#world, host, sender.network).find(({ port }) => port.mac === dst);
    if (entrance !== undefined) return this.#enter(where, entrance, sender, subject, passage);
    const { network } = sender;
    const outside = leavesFor(this.#world, host, network, dst);
    const meant = addressees(this.#world, this.#reachedFrom(host, network), network, subject.frame)
      .filter(({ adminUp }) => adminUp || !outside)
      .sort((a, b) => Number(a.host !== host) - Number(b.host !== host));
    if (meant.every(({ id }) => id === sender.id) && !isMulticastMac(dst) && !outside)
      return dropped(drop(passage, sender.id, 'destination', 'unknown-destination', dst));
    const known = meant.length === 0 ? 'physical-network' : 'known-destination';
    pass(passage, sender.id, 'destination', isMulticastMac(dst) ? 'flooded' : known, { address: dst });
    for (const other of this.#deliver(sender, meant, outside, subject, passage))
      if (onlyHere) this.#leaveTo(other, meant, passage);
      else this.#on(other, host, sender, subject);
    if (outside && this.#physical?.outcome === 'passed' && !onlyHere)
      for (const other of this.#bridgedBeside(host, network)) this.fromPhysical(other, network, subject);
    return passed;
  }

  /**
   * A router's port gets a packet as a port without port security does, and sends it as one in the next network. So each
   * network looks it up and records it by itself.
   */
  #enter(where: Place, entrance: Entrance, sender: Port, subject: Subject, passage: Passage): Outcome {
    const { port: entry } = entrance;
    pass(passage, sender.id, 'destination', 'router', { address: entry.mac });
    const forbidden = refusalAt(this.#world, sender, entry, subject);
    if (forbidden !== null)
      return dropped(drop(passage, entry.id, 'isolation', forbidden, null, rolesText(sender, entry)));
    const lost = remember([sender.id, entry.id], 0, subject, passage);
    this.#keep(passage);
    if (lost !== null) return dropped(lost);
    const routed = route(this.#world, entrance, subject);
    if (routed.way === 'drop') {
      const outcome = dropped(drop(passage, entry.id, 'routing', routed.reason, routed.address));
      this.#tell(where, entrance, routed.reason, subject);
      return outcome;
    }
    const exit = routed.way === 'onward' ? routed.port : entry;
    const reason = routed.way === 'onward' ? 'routed' : 'router-answer';
    pass(passage, exit.id, 'routing', reason, { address: subject.frame.ip?.dst ?? null });
    const next: Subject = { frame: routed.frame, fragmented: subject.fragmented };
    return this.#forward(where, exit, next, this.#passage(where.host, exit.network, next, exit));
  }

  /** A router tells the sender of a packet why the packet ended. */
  #tell(where: Place, entrance: Entrance, reason: DropReason, subject: Subject): void {
    const error = errorOf(this.#world, entrance.router, reason, subject);
    if (error === null) return;
    const told: Subject = { frame: error, fragmented: false };
    const routed = route(this.#world, entrance, told);
    if (routed.way !== 'onward') return;
    const { port } = routed;
    const next: Subject = { ...told, frame: routed.frame };
    const passage = this.#passage(where.host, port.network, next, port);
    pass(passage, port.id, 'routing', 'router-error', { address: error.ip?.dst ?? null });
    this.#forward(where, port, next, passage);
  }

  /** What another host has let out, and has routed where the sender sent it to a router. */
  arrivedFrom(other: string, { host }: Where, origin: Port, subject: Subject): Walk {
    let [sender, arrived] = [origin, toDhcpServer(this.#world, origin, subject)];
    for (;;) {
      const { dst } = arrived.frame.ethernet;
      const entrance = entrances(this.#world, host, sender.network).find(({ port }) => port.mac === dst);
      const routed = entrance && route(this.#world, entrance, arrived);
      if (routed?.way !== 'onward') break;
      sender = routed.port;
      arrived = { ...arrived, frame: routed.frame };
    }
    this.#on(host, other, sender, arrived);
    return this.end(passed);
  }

  /** The other hosts that take the network's frames from its physical network. */
  #bridgedBeside(host: string, network: NetworkId): readonly string[] {
    return [...this.#world.bridged.keys()].filter(
      (other) => other !== host && carries(this.#world, other, network),
    );
  }

  /** What comes from a physical network goes to the host's own ports, and nowhere else. */
  fromPhysical(host: string, network: NetworkId, subject: Subject): Walk {
    const { src } = subject.frame.ethernet;
    const passage = this.#passage(host, network, subject);
    const meant = addressees(this.#world, new Set([host]), network, subject.frame);
    const isForged = isOwnMac(this.#world, host, network, src);
    for (const { id } of meant)
      if (isForged) this.#receivers.set(id, dropped(drop(passage, id, 'physical', 'physical-spoof', src)));
      else pass(passage, id, 'physical', 'from-physical-network', { address: src });
    if (!isForged)
      this.#deliver(outerSender(this.#world, host, network, src), meant, false, subject, passage);
    return this.end(isForged ? dropped('physical-spoof') : passed);
  }

  #leaveTo(host: string, meant: readonly Port[], passage: Passage): void {
    for (const { id } of meant.filter((port) => port.host === host)) {
      pass(passage, id, 'output', 'sent-to-host');
      this.#receivers.set(id, passed);
    }
  }

  /** What comes out of a tunnel goes to that host's own ports, and into no tunnel again. */
  #on(host: string, from: string, sent: Port, subject: Subject): void {
    const passage = this.#passage(host, sent.network, subject, sent);
    const meant = addressees(this.#world, new Set([host]), sent.network, subject.frame);
    const sender = tunnelledSender(this.#world, { from, to: host }, sent, subject.frame);
    if (sender === null) {
      for (const { id } of meant)
        this.#receivers.set(id, dropped(drop(passage, id, 'tunnel', 'tunnel-sender')));
      return;
    }
    pass(passage, sender.id, 'tunnel', 'remote-host');
    this.#deliver(sender, meant, false, subject, passage);
  }

  #passage(host: string, network: NetworkId, { frame, fragmented }: Subject, sender?: Port): Passage {
    return {
      host,
      network,
      steps: this.#steps,
      tracker: this.#trackers.get(host) ?? emptyTracker,
      via: sender === undefined ? null : routerOfPort(this.#world, sender),
      lookup: null,
      detailed: !(fragmented && isMulticastMac(frame.ethernet.dst)),
      newcomers: { sender: false, receiver: false },
    };
  }

  #keep({ host, tracker }: Passage): void {
    this.#trackers.set(host, tracker);
  }

  #reachedFrom(host: string, network: NetworkId): ReadonlySet<string> {
    const { vteps, networks } = this.#world;
    const { physical, tunnel } = networks.get(network) ?? {};
    if (physical !== undefined) return new Set([host]);
    const own = vteps.get(host);
    const others = [...vteps].filter(
      ([name, vtep]) => own !== undefined && name !== host && tunnelBetween(own, vtep, tunnel) !== null,
    );
    return new Set([host, ...others.map(([name]) => name)]);
  }

  /**
   * Takes a copy to each port of this host, then one to each other host, then one outside. Each other host makes the
   * copies for its own ports. Gives the other hosts.
   */
  #deliver(
    sender: Sender,
    meant: readonly Port[],
    outside: boolean,
    subject: Subject,
    passage: Passage,
  ): ReadonlySet<string> {
    const { fragmented, frame } = subject;
    const others = new Set<string>();
    const local = meant.filter(({ host }) => host === passage.host);
    const first = new Map(meant.map((port) => [port.host, port] as const).reverse());
    const remote = [...new Set(meant.map(({ host }) => host))].flatMap((host) =>
      host === passage.host ? [] : (first.get(host) ?? []),
    );
    const copies = [...local, ...remote];
    const several = isMulticastMac(frame.ethernet.dst) || copies.length + Number(outside) > 1;
    if (fragmented && several) passage.detailed = false;
    // Where one lookup serves several ports, pieces that it finds invalid end with it: they may be anybody's.
    const stray = fragmented && several && frame.ip !== null && track(passage, frame.ip).state === 'invalid';
    for (const [copy, port] of copies.entries()) {
      if (port.id === idOf(sender)) continue;
      const refused = stray
        ? drop(passage, port.id, 'ingress-connection', 'ct-invalid')
        : port.host === passage.host
          ? arrive(this.#world, sender, [copy, port], subject, passage)
          : depart(idOf(sender), [copy, port], subject, passage);
      if (refused === null && port.host !== null && port.host !== passage.host) others.add(port.host);
      else this.#receivers.set(port.id, refused === null ? passed : dropped(refused));
    }
    if (outside && 'id' in sender)
      this.#physical = this.#leave(sender, copies.length, stray, subject, passage);
    this.#keep(passage);
    return others;
  }

  /** A frame that a guest has tagged itself does not leave: it would be one of another VLAN, or of a tag in a tag. */
  #leave(sender: Port, copy: number, stray: boolean, subject: Subject, passage: Passage): Outcome {
    const forbidden = stray ? null : refusalOutside(this.#world, passage.host, sender, subject);
    if (forbidden !== null)
      return dropped(drop(passage, sender.id, 'isolation', forbidden, null, rolesText(sender, null)));
    const refused = stray ? 'ct-invalid' : depart(sender.id, [copy, null], subject, passage);
    if (refused !== null) return dropped(refused);
    if (subject.frame.ethernet.tags.length > 0)
      return dropped(drop(passage, sender.id, 'output', 'vlan-tagged'));
    pass(passage, sender.id, 'output', 'sent-to-physical-network');
    return passed;
  }
}

/** The sending port, when it may send at all. */
function senderOf(world: World, { host, port: id, from = host }: Where): Port | null {
  const port = world.ports.get(id);
  if (port === undefined || !port.adminUp) return null;
  if (port.host !== from && arrivalOf(world, port)?.host !== from) return null;
  return world.networks.get(port.network)?.adminUp === true ? port : null;
}

/** What does not come together is a row of lone pieces, and nobody whose packets are tracked gets any of them. */
function subjectOf(first: Frame, frames: readonly Frame[]): Subject {
  const whole = frames.length > 1 ? reassemble(frames) : null;
  if (whole !== null) return { frame: whole, fragmented: true };
  return { frame: first, fragmented: (first.ip?.fragment ?? null) !== null };
}

/**
 * The way of what a port puts on its wire. "Passed" of a datagram in pieces means that every piece arrives: each must
 * pass the sender's guard by itself, and tracking then judges the whole. A piece whose others are missing never
 * passes connection tracking.
 */
export function walk(given: World, where: Where, trackers: Trackers, pieces: Pieces): Walk {
  const world = asAnnounced(given);
  const steps: Step[] = [];
  const nothing = { steps, receivers: new Map<PortId, Outcome>(), reply: null, physical: null, trackers };
  const first = parseFrame(pieces[0]);
  const port = senderOf(given, where);
  const here = { host: where.host, steps };
  const refuse = (reason: DropReason): Walk => ({
    ...nothing,
    sender: dropped(drop(here, where.port, 'port', reason)),
  });
  if (port === null) return refuse('admin-down');
  if (first === null) return refuse('mac-spoof');
  const frames = pieces.map(parseFrame).filter((frame) => frame !== null);
  const readable = frames.length === pieces.length ? frames : [first];
  const walking = new Walking(world, steps, trackers);
  if (where.from !== undefined)
    return walking.arrivedFrom(where.from, where, port, subjectOf(first, readable));
  for (const frame of port.mode === 'off' || readable.length === 1 ? [] : readable) {
    const guard = guardSender(world, port, { frame, fragmented: true });
    if (guard.answer !== 'drop') continue;
    const { reason } = guard;
    return walking.end(dropped(drop(here, where.port, 'egress-guard', reason, claimedBy(frame, reason))));
  }
  return walking.from(where, port, subjectOf(first, readable));
}

/** Where a frame enters from outside: a host, and the physical network that it is bridged to. */
export interface PhysicalEntry {
  readonly host: string;
  readonly physical: string;
}

/** The way of what somebody outside puts onto a physical network, at one of the hosts that are bridged to it. */
export function walkFromPhysical(
  world: World,
  { host, physical }: PhysicalEntry,
  trackers: Trackers,
  pieces: Pieces,
): Walk {
  const refuse = (reason: DropReason): Walk => ({
    steps: [],
    receivers: new Map(),
    reply: null,
    physical: null,
    trackers,
    sender: dropped(reason),
  });
  const found = pieces.map((bytes) => untagged(world, host, physical, bytes));
  const inside = found.filter((one) => typeof one === 'object');
  const [first] = inside;
  const wrong = found.find((one) => typeof one === 'string');
  if (wrong !== undefined || first === undefined) return refuse(wrong ?? 'unknown-vlan');
  const frames = inside.map(({ bytes }) => parseFrame(bytes)).filter((frame) => frame !== null);
  const [head] = frames;
  if (head === undefined) return refuse('unknown-vlan');
  if (world.networks.get(first.network)?.adminUp !== true) return refuse('admin-down');
  return new Walking(world, [], trackers).fromPhysical(host, first.network, subjectOf(head, frames));
}
