/**
 * Ports that move between hosts.
 *
 * # Idea
 * A port with a second binding has its flows on both hosts. It is on the first until the guest announces itself on the
 * second, by RARP, ARP or a neighbour advertisement. The announcement reaches every host that carries the network. Each
 * learns two flows from it: who may send from where, and who gets what is for the port.
 *
 * # Invariants
 * - Only a port with a second binding moves, and only to the host of that binding: flows with both places come from the
 *   store, and an announcement chooses between them.
 * - The guards of the second host have judged the announcement, so a guest can move nobody but itself.
 * - What was learned carries the number of its arrival and goes with the flows that learned it (`deleteLearned`). So it
 *   outlives neither the activation of the binding nor its removal, and says nothing of a later move.
 */
import { hash64 } from '../../../base/hash.ts';
import { icmpv6Types } from '../../../net/packet/icmpv6.ts';
import { type LearnSpec, learnFlags } from '../../../openflow/index.ts';
import type { Port } from '../../../policy/world.ts';
import { type ActionOf, learn, resubmit } from '../../actions.ts';
import { type Draft, drop, flow } from '../../draft.ts';
import { type KeyedPort, type LocalMove, type LocalPort, sentBy, sentTo } from '../../local-port.ts';
import { arp, icmp6, rarp } from '../../matches.ts';
import { arrivalBits, flag, ofArrival, register } from '../../registers.ts';
import { receiverOf } from '../forwarding/receivers.ts';
import type { RemotePort } from '../tunnels/peers.ts';
import type { Move } from './relations.ts';

type MovingPort = KeyedPort & { readonly port: Port };

const priority = 100;
const field = (name: typeof register.source | typeof register.destination | typeof register.network) =>
  ({ field: name, offset: 0, bits: 32 }) as const;

function learnArrival({ port }: MovingPort, number: number): ActionOf<'moving_sender'>[] {
  const cookie = hash64(`moved|${port.id}|${number}`);
  const into = (
    table: 'moved_senders' | 'moved_receivers',
    to: typeof register.source | typeof register.destination,
  ): ActionOf<'moving_sender'> => {
    const specs: readonly LearnSpec[] = [
      { kind: 'match', from: field(register.network), to: field(register.network) },
      { kind: 'match', from: field(register.source), to: field(to) },
      {
        kind: 'load',
        from: { value: BigInt(number) },
        to: { field: register.flags, offset: arrivalBits.offset, bits: arrivalBits.bits },
      },
    ];
    return learn<'moving_sender'>(table, {
      idleTimeout: 0,
      hardTimeout: 0,
      finIdleTimeout: 0,
      finHardTimeout: 0,
      priority,
      cookie,
      flags: learnFlags.deleteLearned,
      specs,
    });
  };
  return [into('moved_senders', register.source), into('moved_receivers', register.destination)];
}

/** The packet goes on as one of any port. */
const onward = {
  load: { [register.flags]: { value: 0, mask: (flag.moving | arrivalBits.mask) >>> 0 } },
  actions: [resubmit<'moving_sender'>('claims')],
} as const;

const announcements = [arp, rarp, { ...icmp6, icmpv6_type: icmpv6Types.neighbourAdvertisement }] as const;

/** Of packets that came through a tunnel, and of those from a port here. */
const from = (moving: MovingPort, isTunnelled: boolean, number?: number) => {
  const { value = 0, mask = 0 } = number === undefined ? {} : ofArrival(number);
  const tunnelled = isTunnelled ? flag.tunnelled : 0;
  return {
    ...sentBy(moving),
    [register.flags]: { value: (value | tunnelled) >>> 0, mask: (mask | flag.tunnelled) >>> 0 },
  };
};

const announced = (moving: MovingPort, isTunnelled: boolean, number: number): Draft[] =>
  announcements.map((kind) =>
    flow(
      'moving_sender',
      'announcement',
      { ...from(moving, isTunnelled), ...kind },
      { load: onward.load, actions: [...learnArrival(moving, number), ...onward.actions] },
      { reason: 'move-announced', port: moving.port.id },
    ),
  );

/** Of a port here. */
export function senderFlows(local: LocalPort, { side, number }: LocalMove): Draft[] {
  const { id: port } = local.port;
  const any = from(local, false);
  const known = from(local, false, number);
  if (side === 'leaving')
    return [
      drop('moving_sender', 'known', known, { reason: 'moved-away', drop: 'egress', port }),
      flow('moving_sender', 'other', any, onward, { reason: 'at-home', port }),
    ];
  return [
    flow('moving_sender', 'known', known, onward, { reason: 'arrived', port }),
    ...announced(local, false, number),
    drop('moving_sender', 'other', any, { reason: 'not-arrived', drop: 'egress', port }),
  ];
}

/** Of a port that arrives at another host, which has asked already whether it is there. */
export function senderFlowsFromTunnel(remote: RemotePort, number: number): Draft[] {
  const { id: port } = remote.port;
  return [
    flow('moving_sender', 'known', from(remote, true, number), onward, { reason: 'arrived', port }),
    ...announced(remote, true, number),
    flow('moving_sender', 'other', from(remote, true), onward, { reason: 'arrived', port }),
  ];
}

/** To the place where a port is. */
export function receiverFlows({ number, from: before, to: behind }: Move): Draft[] {
  const port = before.port.id;
  const to = (place: LocalPort | RemotePort) => {
    const { load, next } = receiverOf(place);
    const forgotten = { [register.flags]: { value: 0, mask: arrivalBits.mask } };
    return { load: { ...load, ...forgotten }, actions: [resubmit<'moving_receiver'>(next)] };
  };
  const match = sentTo(before);
  return [
    flow('moving_receiver', 'announced', { ...match, [register.flags]: ofArrival(number) }, to(behind), {
      reason: 'arrived',
      port,
    }),
    flow('moving_receiver', 'before', match, to(before), { reason: 'at-home', port }),
  ];
}

export const moveDefaults: readonly Draft[] = [
  flow(
    'claims',
    'moving',
    { [register.flags]: { value: flag.moving, mask: flag.moving } },
    { actions: [resubmit('moved_senders'), resubmit('moving_sender')] },
    { reason: 'moving' },
  ),
  flow(
    'to_moving',
    'any',
    {},
    { actions: [resubmit('moved_receivers')], goto: 'moving_receiver' },
    { reason: 'moving' },
  ),
];
