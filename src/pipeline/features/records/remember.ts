/**
 * The one commit of a packet, after the last verdict: the connection's record gets the ports that admitted it.
 *
 * # Idea
 * Each port admits a connection for itself, and several of a side may: guests forward packets in the same network,
 * or several holders of a MAC get copies. So a record (record.ts) is two sets of ports.
 *
 * # Invariants
 * - Only a port that is new on the record is written. So packets in flight on one pass overwrite nobody of another.
 * - The first pass meets an empty record and writes both its ports, for good. Later an originator gets the second place,
 *   a responder the first free one. Copies were looked up together: each gets the place behind the one before.
 *   Of more ports than places the latest is on record.
 * - An ICMP error belongs to a connection that it must not change: it is never committed.
 * - Whole packets are committed as copies; fragments are checked against the record after their commit
 *   (tracking/tracking.ts says why). Fragments of which the sender alone is new write the receiver too, for that check.
 */
import type { NetworkKey } from '../../../model/numbers.ts';
import type { Family } from '../../../net/cidr.ts';
import type { Masked } from '../../../openflow/index.ts';
import type { NetworkId } from '../../../policy/world.ts';
import { type ActionOf, clone, commit } from '../../actions.ts';
import { type Draft, drop, flow, type MatchIn } from '../../draft.ts';
import { type KeyedPort, type LocalPort, sentTo } from '../../local-port.ts';
import {
  anyCopy,
  anyFragment,
  copyAt,
  ctState,
  groupAddress,
  ipOf,
  ipv4,
  ipv6,
  onOtherHost,
  original,
  reply,
  wholePacket,
} from '../../matches.ts';
import { after } from '../../positions.ts';
import {
  firstPass,
  names,
  originatorPlaces,
  type Place,
  responderPlaces,
  unnamed,
  write,
} from '../../record.ts';
import { flag, register } from '../../registers.ts';
import type { LookupTable, PlainBand } from '../../tables.ts';
import type { Zone } from '../../zone.ts';

const [firstOriginator, laterOriginator] = originatorPlaces;
const [firstResponder, laterResponder, lastResponder] = responderPlaces;
const { source, destination, copy } = register;

type End = typeof source | typeof destination;

/** Which places of the record a commit writes. */
interface Entry {
  readonly band: PlainBand<'remember'>;
  readonly match: Pick<MatchIn<'remember'>, 'ct_label' | typeof copy | typeof register.flags>;
  readonly originator?: Place;
  readonly responder?: Place;
}

const { senderIsNew, receiverIsNew } = flag;
const both = senderIsNew | receiverIsNew;
const ofNew = (flags: number) => ({ [register.flags]: { value: flags, mask: both } });

/** Places of a responder that is new after the first pass. */
const laterResponders: readonly Entry[] = [
  { band: 'free', match: unnamed(laterResponder), responder: laterResponder },
  { band: 'last', match: {}, responder: lastResponder },
];
/** The copies of an answer share a place, that of a later originator, as all later originators do. */
const laterCopies: readonly Entry[] = [1, 2].map((before) => ({
  band: 'laterCopy',
  match: { [copy]: copyAt(before) },
  responder: lastResponder,
}));

const firstEntry = { originator: firstOriginator, responder: firstResponder };
const firstEntries: readonly Entry[] = [{ band: 'first', match: firstPass, ...firstEntry }];
const firstCopies: readonly Entry[] = [laterResponder, lastResponder].map((responder, at) => ({
  band: 'firstCopy',
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
    if (!isNew(written, way.responder)) return [{ band: 'last', match: ofNew(flags), ...originator }];
    return [...laterResponders, ...(copied ? laterCopies : [])].map((entry) => ({
      ...entry,
      ...originator,
      match: { ...entry.match, ...ofNew(flags) },
    }));
  });
  return [...firstEntries, ...(copied ? firstCopies : []), ...later];
}

function commitOf(
  { originator, responder }: Entry,
  way: Way,
  next?: LookupTable<'remember'>,
): ActionOf<'remember'> {
  const writes = [
    ...(originator === undefined ? [] : [write(originator, way.originator)]),
    ...(responder === undefined ? [] : [write(responder, way.responder)]),
  ];
  return commit(writes, next);
}

function recordsOf(family: Family): Draft[] {
  const why = { reason: 'commit' } as const;
  const drafts = [there, back].flatMap((way) => {
    const place = { ...ipOf(family), ct_state: way.ct_state };
    return [
      ...entriesOf(way, false).map((entry) => {
        const match = { ...place, ...entry.match, ip_frag: wholePacket };
        const aside = clone<'remember'>([commitOf(entry, way)]);
        return flow('remember', entry.band, match, { actions: [aside], goto: after('records') }, why);
      }),
      ...entriesOf(way, true).map((entry) => {
        const match = { ...place, ...entry.match, ip_frag: anyFragment };
        return flow('remember', entry.band, match, { actions: [commitOf(entry, way, 'committed')] }, why);
      }),
    ];
  });
  // Fragments pass by a record alone, and an error gets into none.
  const error = { ...ipOf(family), ct_state: ctState(['tracked', 'related']), ip_frag: anyFragment };
  return [...drafts, drop('remember', 'last', error, { reason: 'stray-fragment', drop: 'ingress' })];
}

export const ownPieces = (local: LocalPort): Draft[] => (local.up ? piecesTo(local) : []);

/** Fragments whose record names the receiver. */
export function piecesTo(receiver: KeyedPort & Pick<LocalPort, 'port'>): Draft[] {
  const { port, key } = receiver;
  const to = sentTo(receiver);
  const why = { reason: 'committed', port: port.id } as const;
  const then = { goto: after('records') } as const;
  return [
    ...responderPlaces.map((place) =>
      flow('committed', 'own', { ...to, ct_state: original, ...names(place, key) }, then, why),
    ),
    ...originatorPlaces.map((place) =>
      flow('committed', 'own', { ...to, ct_state: reply, ...names(place, key) }, then, why),
    ),
  ];
}

/**
 * Fragments for a port of another host. Its own host asks whether it admits their connection; here it has to be one that was
 * admitted, of this network. A flow for each such port would be too many.
 */
export const piecesToOtherHosts = (network: NetworkId, key: NetworkKey, zone: Zone): Draft[] => [
  flow(
    'committed',
    'otherHost',
    { [register.network]: key, ...onOtherHost, ct_zone: zone, ct_state: ctState(['tracked'], ['invalid']) },
    { goto: after('records') },
    { reason: 'committed', network },
  ),
];

const onward = { goto: after('records') } as const;

export const recordDefaults: readonly Draft[] = [
  // A group address never answers, so a connection to one could only be misused.
  flow('commit', 'group', { eth_dst: groupAddress }, onward, { reason: 'multicast' }),
  ...[ipv4, ipv6].map((family) =>
    flow('commit', 'copiedPiece', { ...family, [copy]: anyCopy, ip_frag: anyFragment }, onward, {
      reason: 'copied-fragment',
    }),
  ),
  ...[senderIsNew, receiverIsNew].map((bit) =>
    flow(
      'commit',
      'newOnRecord',
      { [register.flags]: { value: bit, mask: bit }, ct_state: ctState(['tracked']) },
      { goto: 'remember' },
      { reason: 'new-on-record' },
    ),
  ),
  flow('commit', 'none', {}, onward, { reason: 'no-commit' }),
  ...([4, 6] as const).flatMap(recordsOf),
  flow('remember', 'none', {}, onward, { reason: 'no-commit' }),
  drop(
    'committed',
    'unrecorded',
    { ...onOtherHost, ...firstPass },
    { reason: 'stray-fragment', drop: 'ingress' },
  ),
  drop('committed', 'stray', {}, { reason: 'stray-fragment', drop: 'ingress' }),
];
