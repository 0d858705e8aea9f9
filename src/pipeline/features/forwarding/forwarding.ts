/**
 * Forwarding: destination MAC → the local port that holds it. Several holders of one MAC (a VRRP address) all get the
 * frame; broadcast and multicast go to every port of the network. The sender's own copy ends at the ingress guard,
 * and the switch never outputs to the port of entry.
 */
import type { NetworkKey } from '../../../model/numbers.ts';
import type { NetworkId } from '../../../policy/world.ts';
import { type ActionOf, branch, lookUp } from '../../actions.ts';
import { type Draft, drop, flow } from '../../draft.ts';
import { type LocalPort, sentBy } from '../../local-port.ts';
import { anyFragment, copyAt, ctState, groupAddress, invalid, ipv4, ipv6, noCopy } from '../../matches.ts';
import { after } from '../../positions.ts';
import { flag, register } from '../../registers.ts';

/** No side has looked the packet up yet, and its receivers may track it: one lookup serves them all. */
const untracked = [flag.unguarded, flag.untracked].flatMap((bit) =>
  [ipv4, ipv6].map((family) => ({
    ...family,
    [register.flags]: { value: bit, mask: bit },
    ct_state: ctState([], ['tracked']),
  })),
);

/**
 * Later fragments passed the sender's rules without a verdict; the commit holds them until the first has come. Copies
 * are not committed, so another lookup before the copies are made holds them instead.
 */
const pieces = [ipv4, ipv6].map((family) => ({
  ...family,
  [register.copy]: noCopy,
  ip_frag: anyFragment,
  ct_state: ctState(['tracked']),
}));

const loadsOf = ({ key, set }: LocalPort) => ({
  [register.destination]: key,
  [register.destinationSet]: set,
});
const nextOf = ({ port }: LocalPort) => (port.mode === 'off' ? after('ingressRules') : after('forwarding'));

const inOrder = (ports: Iterable<LocalPort>): LocalPort[] =>
  [...ports].sort((a, b) => (a.port.id < b.port.id ? -1 : 1));

const toEach = (
  receivers: Iterable<LocalPort>,
  copyOf: (before: number) => { readonly [register.copy]?: number } = () => ({}),
): ActionOf<'l2'>[] =>
  inOrder(receivers).map((local, before) =>
    branch<'l2'>({ ...loadsOf(local), ...copyOf(before) }, nextOf(local)),
  );

/** A port that is down hides no other holder of its MAC. A frame for it alone is dropped, and counted at the port. */
export function unicast(mac: bigint, held: ReadonlyMap<unknown, LocalPort>): Draft[] {
  const [any] = held.values();
  if (any === undefined) return [];
  const match = { [register.network]: any.networkKey, eth_dst: mac };
  const holders = [...held.values()].filter(({ up }) => up);
  const [first, ...others] = holders;
  if (first === undefined) {
    const [down] = inOrder(held.values());
    return down === undefined
      ? []
      : [drop('l2', 'known', match, { reason: 'admin-down', drop: 'ingress', port: down.port.id })];
  }
  if (others.length > 0) {
    const why = { reason: 'shared-mac' } as const;
    const copyOf = (before: number) => ({ [register.copy]: copyAt(before) });
    return [
      flow('l2', 'known', match, { actions: toEach(holders, copyOf) }, why),
      ...pieces.map((state) =>
        flow(
          'l2',
          'sharedPiece',
          { ...match, ...state },
          { load: { [register.copy]: copyAt(0) }, actions: [lookUp('l2')] },
          why,
        ),
      ),
      ...untracked.map((state) =>
        flow('l2', 'lookupForShared', { ...match, ...state }, { actions: [lookUp('l2')] }, why),
      ),
    ];
  }
  const then = { load: loadsOf(first), goto: nextOf(first) } as const;
  return [flow('l2', 'known', match, then, { reason: 'known-mac', port: first.port.id })];
}

export function flood(
  network: NetworkId,
  key: NetworkKey,
  members: ReadonlyMap<unknown, LocalPort>,
): Draft[] {
  const receivers = [...members.values()].filter(({ up }) => up);
  if (receivers.length === 0) return [];
  const match = { [register.network]: key, eth_dst: groupAddress };
  return [flow('l2', 'group', match, { actions: toEach(receivers) }, { reason: 'flood', network })];
}

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
  ...untracked.map((state) =>
    flow(
      'l2',
      'lookupForGroup',
      { ...state, eth_dst: groupAddress },
      { actions: [lookUp('l2')] },
      { reason: 'lookup' },
    ),
  ),
];

export function unknownDestination(local: LocalPort): Draft[] {
  const { port, up } = local;
  if (!up) return [];
  return [
    drop('l2', 'unknown', sentBy(local), { reason: 'unknown-destination', drop: 'egress', port: port.id }),
  ];
}
