/**
 * Destination MAC → the local port that holds it; several holders of one MAC (a VRRP address) all get the
 * frame, broadcast and multicast go to every port of the network. The sender's own copy ends at the guard of
 * the receiving side, and an output to the port of entry is none.
 */
import type { NetworkKey } from '../../model/numbers.ts';
import type { Action } from '../../openflow/index.ts';
import type { NetworkId } from '../../policy/world.ts';
import { branch, type Draft, drop, flow } from '../draft.ts';
import { type LocalPort, sentBy } from '../local-port.ts';
import { lookUp } from '../lookup.ts';
import { anyFragment, copyAt, ctState, groupAddress, invalid, ipv4, ipv6, noCopy } from '../matches.ts';
import { flag, register } from '../tables.ts';

/** What nobody has looked up yet, though its receivers may track it: then one lookup serves them all. */
const untracked = [flag.unguarded, flag.untracked].flatMap((bit) =>
  [ipv4, ipv6].map((family) => ({
    ...family,
    [register.flags]: { value: bit, mask: bit },
    ct_state: ctState([], ['tracked']),
  })),
);

/**
 * Later pieces have passed the sender's rules unseen, and are held at the commit until the first has come there too.
 * Where there will be none, since copies are not committed, another lookup before they are made holds them instead.
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
const nextOf = ({ port }: LocalPort) => (port.mode === 'off' ? 'commit' : 'ingress_type');

const inOrder = (ports: Iterable<LocalPort>): LocalPort[] =>
  [...ports].sort((a, b) => (a.port.id < b.port.id ? -1 : 1));

const toEach = (
  receivers: Iterable<LocalPort>,
  copyOf: (before: number) => { readonly [register.copy]?: number } = () => ({}),
): Action[] =>
  inOrder(receivers).map((local, before) =>
    branch<'l2'>({ ...loadsOf(local), ...copyOf(before) }, nextOf(local)),
  );

/** A port that is down hides no other holder of its MAC; what is for it alone ends as its own drop. */
export function unicast(mac: bigint, held: ReadonlyMap<unknown, LocalPort>): Draft[] {
  const [any] = held.values();
  if (any === undefined) return [];
  const match = { [register.network]: any.networkKey, eth_dst: mac };
  const holders = [...held.values()].filter(({ up }) => up);
  const [first, ...others] = holders;
  if (first === undefined) {
    const [down] = inOrder(held.values());
    return down === undefined ? [] : [drop('l2', 100, match, 'admin-down', 'ingress', down.port.id)];
  }
  if (others.length > 0) {
    const why = { reason: 'shared-mac' };
    const copies = toEach(holders, (before) => ({ [register.copy]: copyAt(before) }));
    return [
      flow('l2', 100, match, { actions: copies }, why),
      ...pieces.map((state) =>
        flow(
          'l2',
          160,
          { ...match, ...state },
          { load: { [register.copy]: copyAt(0) }, actions: [lookUp('l2')] },
          { reason: 'shared-mac' },
        ),
      ),
      ...untracked.map((state) => flow('l2', 150, { ...match, ...state }, { actions: [lookUp('l2')] }, why)),
    ];
  }
  const then = { load: loadsOf(first), goto: nextOf(first) } as const;
  return [flow('l2', 100, match, then, { reason: 'known-mac', port: first.port.id })];
}

export function flood(
  network: NetworkId,
  key: NetworkKey,
  members: ReadonlyMap<unknown, LocalPort>,
): Draft[] {
  const receivers = [...members.values()].filter(({ up }) => up);
  const match = { [register.network]: key, eth_dst: groupAddress };
  return [flow('l2', 200, match, { actions: toEach(receivers) }, { reason: 'flood', network })];
}

/**
 * With the packets of a lookup the switch also lets go what it has held in vain, whoever sent it and in whatever network.
 * Unguarded receivers would not refuse it, so invalid pieces end here, those of unguarded senders too.
 */
const strays = [ipv4, ipv6].map((family) =>
  drop('l2', 300, { ...family, ip_frag: anyFragment, ct_state: invalid }, 'ct-invalid', 'ingress'),
);

export const l2Defaults: readonly Draft[] = [
  ...strays,
  ...untracked.map((state) =>
    flow('l2', 250, { ...state, eth_dst: groupAddress }, { actions: [lookUp('l2')] }, { reason: 'lookup' }),
  ),
];

export function unknownDestination(local: LocalPort): Draft[] {
  const { port, up } = local;
  if (!up) return [];
  return [drop('l2', 1, sentBy(local), 'unknown-destination', 'egress', port.id)];
}
