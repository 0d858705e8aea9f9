/**
 * Forwarding: destination MAC → the port that holds it. Several holders of one MAC (a VRRP address) all get the
 * frame; broadcast and multicast go to every port of the network. The sender's own copy ends at the ingress guard,
 * and the switch never outputs to the port of entry.
 *
 * A port of another host gets its packets through a tunnel, where each host gets one copy, whatever the number of its
 * ports: it forwards to them itself. A physical network gets one copy too, also of packets for MACs that no port here has.
 * What came from either goes to ports of this host only, so nothing goes round.
 */
import type { NetworkKey } from '../../../model/numbers.ts';
import type { NetworkId, PortId } from '../../../policy/world.ts';
import { type ActionOf, branch, lookUp } from '../../actions.ts';
import { type Draft, drop, flow } from '../../draft.ts';
import { isArriving, type LocalPort, sentBy, sentTo } from '../../local-port.ts';
import { anyFragment, copyAt, ctState, groupAddress, invalid, ipv4, ipv6, noCopy } from '../../matches.ts';
import { after } from '../../positions.ts';
import { flag, register } from '../../registers.ts';
import type { LocalSegment } from '../physical/relations.ts';
import type { Peer, RemotePort } from '../tunnels/peers.ts';
import { isRemotePort, movingReceiver, outsideReceiver, type Receiver, receiverOf } from './receivers.ts';

/** Which senders a flow is for, as bits of the flags register. */
interface From {
  readonly value: number;
  readonly mask: number;
}
const anySender: From = { value: 0, mask: 0 };
const sentHere: From = { value: 0, mask: flag.tunnelled };
const fromTunnel: From = { value: flag.tunnelled, mask: flag.tunnelled };

const ofSenders = ({ value, mask }: From, bit = 0) =>
  mask === 0 && bit === 0 ? {} : { [register.flags]: { value: value | bit, mask: mask | bit } };

/** No side has looked the packet up yet, and its receivers may track it: one lookup serves them all. */
const untracked = (from: From) =>
  [flag.unguarded, flag.untracked].flatMap((bit) =>
    [ipv4, ipv6].map((family) => ({
      ...family,
      ...ofSenders(from, bit),
      ct_state: ctState([], ['tracked']),
    })),
  );

/**
 * Later fragments passed the sender's rules without a verdict; the commit holds them until the first has come. Copies
 * are not committed, so another lookup before the copies are made holds them instead.
 */
const pieces = (from: From) =>
  [ipv4, ipv6].map((family) => ({
    ...family,
    ...ofSenders(from),
    [register.copy]: noCopy,
    ip_frag: anyFragment,
    ct_state: ctState(['tracked']),
  }));

const inOrder = <P extends LocalPort | RemotePort>(ports: Iterable<P>): P[] =>
  [...ports].sort((a, b) => (a.port.id < b.port.id ? -1 : 1));

/** The first port of each host. */
const oneOfEachHost = (remotes: Iterable<RemotePort>): RemotePort[] => {
  const hosts = new Map<number, RemotePort>();
  for (const remote of inOrder(remotes))
    if (!hosts.has(remote.peer.number)) hosts.set(remote.peer.number, remote);
  return [...hosts.values()];
};

/** Ports of one network. */
const areIsolated = (ports: readonly (LocalPort | RemotePort)[]): boolean =>
  ports.some(({ role }) => role !== 0);

const isUp = ({ up }: LocalPort | RemotePort): boolean => up;

const receiversOf = (locals: Iterable<LocalPort>, remotes: Iterable<RemotePort>): Receiver[] => [
  ...inOrder(locals).filter(isUp).map(receiverOf),
  ...oneOfEachHost([...remotes].filter(isUp)).map(receiverOf),
];

const toEach = (
  receivers: readonly Receiver[],
  copyOf: (before: number) => { readonly [register.copy]?: number } = () => ({}),
): ActionOf<'l2'>[] =>
  receivers.map(({ load, next }, before) => branch<'l2'>({ ...load, ...copyOf(before) }, next));

/** Ports that are about to move, as this host sees them. */
export type IsMoving = (port: PortId) => boolean;

type Held = readonly [locals: readonly LocalPort[], remotes: readonly RemotePort[], outside: boolean];

/** Where several ports may have the MAC, one that moves goes with its record: copies for one host are made once. */
function receiversFor([locals, remotes, isOutside]: Held, isMoving: IsMoving): Receiver[] {
  const [only, ...others] = [...locals, ...remotes].filter(isUp);
  if (only !== undefined && others.length === 0 && !isOutside && isMoving(only.port.id))
    return [movingReceiver(only)];
  const isolated = areIsolated([...locals, ...remotes]);
  return [...receiversOf(locals, remotes), ...(isOutside ? [outsideReceiver(isolated)] : [])];
}

/** A port that is down hides no other holder of its MAC. A frame for it alone is dropped by its host, and counted there. */
function toHolders(
  of: KnownMac,
  from: From,
  [locals, remotes, isOutside]: Held,
  isMoving: IsMoving = () => false,
): Draft[] {
  const { network, mac } = of;
  const match = { [register.network]: network, eth_dst: mac };
  const receivers = receiversFor([locals, remotes, isOutside], isMoving);
  const known = { ...match, ...ofSenders(from) };
  if (receivers.length === 0) {
    const [down] = inOrder([...locals, ...remotes]);
    if (down === undefined) return [];
    if (isRemotePort(down)) receivers.push(receiverOf(down));
    else return [drop('l2', 'known', known, { reason: 'admin-down', drop: 'ingress', port: down.port.id })];
  }
  const [first, ...others] = receivers;
  if (first === undefined) return [];
  if (others.length > 0) {
    const why = { reason: 'shared-mac' } as const;
    const copyOf = (before: number) => ({ [register.copy]: copyAt(before) });
    return [
      flow('l2', 'known', known, { actions: toEach(receivers, copyOf) }, why),
      ...pieces(from).map((state) =>
        flow(
          'l2',
          'sharedPiece',
          { ...match, ...state },
          { load: { [register.copy]: copyAt(0) }, actions: [lookUp('l2')] },
          why,
        ),
      ),
      ...untracked(from).map((state) =>
        flow('l2', 'lookupForShared', { ...match, ...state }, { actions: [lookUp('l2')] }, why),
      ),
    ];
  }
  const then = { load: first.load, goto: first.next } as const;
  const { port } = first;
  return [flow('l2', 'known', known, then, { reason: 'known-mac', ...(port === undefined ? {} : { port }) })];
}

interface KnownMac {
  readonly network: NetworkKey;
  readonly mac: bigint;
}

/** Who else has a MAC: ports that tunnels lead to, and whether the physical network leads to some. */
interface Elsewhere {
  readonly ports: ReadonlyMap<unknown, RemotePort>;
  readonly outside: boolean;
}

/** What came through a tunnel is for a port that arrives here too: the sender's host has asked where it is. */
export function unicast(
  mac: bigint,
  held: ReadonlyMap<unknown, LocalPort>,
  elsewhere: Elsewhere,
  isMoving: IsMoving,
): Draft[] {
  const locals = [...held.values()];
  const remotes = [...elsewhere.ports.values()];
  const staying = locals.filter((local) => !isArriving(local));
  const [any] = [...locals, ...remotes];
  if (any === undefined) return [];
  const of = { network: any.networkKey, mac };
  const isMove = locals.some(({ port }) => isMoving(port.id)) || staying.length < locals.length;
  if (remotes.length === 0 && !elsewhere.outside && !isMove)
    return toHolders(of, anySender, [locals, [], false]);
  return [
    ...toHolders(of, sentHere, [staying, remotes, elsewhere.outside], isMoving),
    ...toHolders(of, fromTunnel, [locals, [], false]),
  ];
}

/** Where the switch has learned which of the ports that may use a MAC claimed it last. */
export function toLearned(mac: bigint, ports: Iterable<LocalPort | RemotePort>, isMoving: IsMoving): Draft[] {
  const present = [...ports].filter((port) => isUp(port) && (isRemotePort(port) || !isArriving(port)));
  return present.map((port) => {
    const moves = isMoving(port.port.id);
    const { load, next } = moves ? movingReceiver(port) : receiverOf(port);
    // What came from a tunnel goes into none: then the records say who gets it here.
    const mask = flag.learned | (moves || isRemotePort(port) ? flag.tunnelled : 0);
    const match = { ...sentTo(port), eth_dst: mac, [register.flags]: { value: flag.learned, mask } };
    return flow('l2', 'learned', match, { load, goto: next }, { reason: 'learned-mac', port: port.port.id });
  });
}

/** One flow a network and direction: the copies for other hosts are made here (head-end replication). */
export function flood(
  network: NetworkId,
  key: NetworkKey,
  members: ReadonlyMap<unknown, LocalPort>,
  elsewhere: { readonly peers: readonly Peer[]; readonly outside: boolean },
): Draft[] {
  const here = receiversOf(members.values(), []);
  const there = [
    ...elsewhere.peers.map(({ number }) => branch<'l2'>({ [register.host]: number }, after('ingressRules'))),
    ...(elsewhere.outside ? toEach([outsideReceiver(areIsolated([...members.values()]))]) : []),
  ];
  const to = (from: From, actions: readonly ActionOf<'l2'>[]): Draft[] => {
    const match = { [register.network]: key, eth_dst: groupAddress, ...ofSenders(from) };
    return actions.length === 0
      ? []
      : [flow('l2', 'group', match, { actions }, { reason: 'flood', network })];
  };
  if (there.length === 0) return to(anySender, toEach(here));
  return [...to(sentHere, [...toEach(here), ...there]), ...to(fromTunnel, toEach(here))];
}

/** MACs that no port here has are somebody's outside. */
export const toPhysical = ({ network, key }: LocalSegment, isolated: boolean): Draft[] => [
  flow(
    'l2',
    'physical',
    { [register.network]: key, ...ofSenders(sentHere) },
    { load: outsideReceiver(isolated).load, goto: outsideReceiver(isolated).next },
    { reason: 'unknown-mac', network },
  ),
];

/**
 * During a lookup the switch also releases fragments that it held for other datagrams, of any sender and network.
 * Unguarded receivers would accept them, so invalid fragments are dropped here, those of unguarded senders too.
 */
const strays = [ipv4, ipv6].map((family) =>
  drop(
    'l2',
    'invalidPiece',
    { ...family, ip_frag: anyFragment, ct_state: invalid },
    { reason: 'ct-invalid', drop: 'ingress' },
  ),
);

export const forwardingDefaults: readonly Draft[] = [
  ...strays,
  ...untracked(anySender).map((state) =>
    flow(
      'l2',
      'lookupForGroup',
      { ...state, eth_dst: groupAddress },
      { actions: [lookUp('l2')] },
      { reason: 'lookup' },
    ),
  ),
  drop('l2', 'unknown', ofSenders(fromTunnel), { reason: 'unknown-destination', drop: 'ingress' }),
];

export function unknownDestination(local: LocalPort): Draft[] {
  const { port, up } = local;
  if (!up) return [];
  return [
    drop('l2', 'unknown', sentBy(local), { reason: 'unknown-destination', drop: 'egress', port: port.id }),
  ];
}
