/**
 * The one commit of a packet, after the last verdict: its connection is remembered with the ports that admitted it.
 *
 * Each port admits a connection for itself, and several of a side may: guests forward its packets in the same network,
 * or several holders of a MAC get copies. So a record (record.ts) is two sets of ports. What keeps it true:
 * - Only who is new on it is written. Packets in flight on one pass thus take nobody's place on another.
 * - The first pass, which meets an empty record, writes both its ports, for good. Behind it an originator gets the second
 *   place, a responder the first free one; copies, which were looked up together, each the place behind the one before.
 *   Of more ports than places the latest is on record.
 * - An ICMP error belongs to a connection that it must not change: it is never committed.
 * Whole packets are committed as copies, and pieces are asked after their commit whose connection they are of (why, says
 * conntrack.ts). Pieces of which the sender alone is new write the receiver too, so that they can be asked for it.
 */
import type { Family } from '../../net/cidr.ts';
import type { Action, Masked } from '../../openflow/index.ts';
import { type Draft, drop, flow, type MatchIn } from '../draft.ts';
import { type LocalPort, sentTo } from '../local-port.ts';
import {
  anyCopy,
  anyFragment,
  copyAt,
  ctState,
  groupAddress,
  ipOf,
  ipv4,
  ipv6,
  original,
  reply,
  wholePacket,
} from '../matches.ts';
import {
  firstPass,
  names,
  originatorPlaces,
  type Place,
  responderPlaces,
  unnamed,
  write,
} from '../record.ts';
import { flag, register, tables } from '../tables.ts';

const [firstOriginator, laterOriginator] = originatorPlaces;
const [firstResponder, laterResponder, lastResponder] = responderPlaces;
const { source, destination, copy } = register;

type End = typeof source | typeof destination;

/** What is written of whom. */
interface Entry {
  readonly priority: number;
  readonly match: Pick<MatchIn<'remember'>, 'ct_label' | typeof copy | typeof register.flags>;
  readonly originator?: Place;
  readonly responder?: Place;
}

const { senderIsNew, receiverIsNew } = flag;
const both = senderIsNew | receiverIsNew;
const ofNew = (flags: number) => ({ [register.flags]: { value: flags, mask: both } });

/** Where a responder goes who is new behind the first pass. */
const laterResponders: readonly Entry[] = [
  { priority: 105, match: unnamed(laterResponder), responder: laterResponder },
  { priority: 100, match: {}, responder: lastResponder },
];
/** The copies of an answer share a place, that of a later originator, as all later originators do. */
const laterCopies: readonly Entry[] = [1, 2].map((before) => ({
  priority: 110,
  match: { [copy]: copyAt(before) },
  responder: lastResponder,
}));

const firstEntry = { originator: firstOriginator, responder: firstResponder };
const firstEntries: readonly Entry[] = [{ priority: 120, match: firstPass, ...firstEntry }];
const firstCopies: readonly Entry[] = [laterResponder, lastResponder].map((responder, at) => ({
  priority: 125,
  match: { ...firstPass, [copy]: copyAt(at + 1) },
  originator: firstOriginator,
  responder,
}));

interface Way {
  readonly ct_state: Masked;
  readonly originator: End;
  readonly responder: End;
}
const there: Way = {
  ct_state: ctState(['tracked'], ['reply', 'related']),
  originator: source,
  responder: destination,
};
const back: Way = {
  ct_state: ctState(['tracked', 'reply'], ['related']),
  originator: destination,
  responder: source,
};

const isNew = (flags: number, end: End): boolean =>
  (flags & (end === source ? senderIsNew : receiverIsNew)) !== 0;

function entriesOf(way: Way, pieces: boolean): Entry[] {
  const copied = way === there && !pieces;
  const later = [senderIsNew, receiverIsNew, both].flatMap((flags): Entry[] => {
    const written = pieces && flags === senderIsNew ? both : flags;
    const originator = isNew(written, way.originator) ? { originator: laterOriginator } : {};
    if (!isNew(written, way.responder)) return [{ priority: 100, match: ofNew(flags), ...originator }];
    return [...laterResponders, ...(copied ? laterCopies : [])].map((entry) => ({
      ...entry,
      ...originator,
      match: { ...entry.match, ...ofNew(flags) },
    }));
  });
  return [...firstEntries, ...(copied ? firstCopies : []), ...later];
}

function commitOf({ originator, responder }: Entry, way: Way): Action & { readonly type: 'ct' } {
  return {
    type: 'ct',
    commit: true,
    zone: { field: register.zone, offset: 0, bits: 16 },
    exec: [
      ...(originator === undefined ? [] : [write(originator, way.originator)]),
      ...(responder === undefined ? [] : [write(responder, way.responder)]),
    ],
  };
}

function recordsOf(family: Family): Draft[] {
  const because = { reason: 'commit' };
  const drafts = [there, back].flatMap((way) => {
    const place = { ...ipOf(family), ct_state: way.ct_state };
    return [
      ...entriesOf(way, false).map((entry) => {
        const aside: Action = { type: 'clone', actions: [commitOf(entry, way)] };
        const match = { ...place, ...entry.match, ip_frag: wholePacket };
        return flow('remember', entry.priority, match, { actions: [aside], goto: 'ingress_qos' }, because);
      }),
      ...entriesOf(way, true).map((entry) => {
        const held: Action = { ...commitOf(entry, way), table: tables.committed.id };
        const match = { ...place, ...entry.match, ip_frag: anyFragment };
        return flow('remember', entry.priority, match, { actions: [held] }, because);
      }),
    ];
  });
  // Only a record lets pieces go, and an error gets into none.
  const error = { ...ipOf(family), ct_state: ctState(['tracked', 'related']), ip_frag: anyFragment };
  return [...drafts, drop('remember', 100, error, 'stray-fragment', 'ingress')];
}

/** Pieces whose commit has just said that they are for the port. */
export function ownPieces(local: LocalPort): Draft[] {
  const { port, up, key } = local;
  if (!up) return [];
  const to = sentTo(local);
  const because = { reason: 'committed', port: port.id };
  const then = { goto: 'ingress_qos' } as const;
  return [
    ...responderPlaces.map((place) =>
      flow('committed', 100, { ...to, ct_state: original, ...names(place, key) }, then, because),
    ),
    ...originatorPlaces.map((place) =>
      flow('committed', 100, { ...to, ct_state: reply, ...names(place, key) }, then, because),
    ),
  ];
}

const onward = { goto: 'ingress_qos' } as const;

export const rememberDefaults: readonly Draft[] = [
  // A group address never answers, so a connection to one could only be misused.
  flow('commit', 200, { eth_dst: groupAddress }, onward, { reason: 'multicast' }),
  ...[ipv4, ipv6].map((family) =>
    flow('commit', 150, { ...family, [copy]: anyCopy, ip_frag: anyFragment }, onward, {
      reason: 'copied-fragment',
    }),
  ),
  ...[senderIsNew, receiverIsNew].map((bit) =>
    flow(
      'commit',
      100,
      { [register.flags]: { value: bit, mask: bit }, ct_state: ctState(['tracked']) },
      { goto: 'remember' },
      { reason: 'new-on-record' },
    ),
  ),
  flow('commit', 0, {}, onward, { reason: 'no-commit' }),
  ...([4, 6] as const).flatMap(recordsOf),
  flow('remember', 0, {}, onward, { reason: 'no-commit' }),
  drop('committed', 0, {}, 'stray-fragment', 'ingress'),
];
