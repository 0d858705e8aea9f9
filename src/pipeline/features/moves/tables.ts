/** Ports that move between hosts. */
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { source, destination, destinationSet, network, flags, host } = register;

export const moveTables = {
  /** By sender: ports that have announced themselves where they arrive. */
  moved_senders: { id: 62, match: [], bands: {}, owner: 'switch' },
  /** Whether a port that moves is on the host that its packet is from. What may go on visits `claims` again. */
  moving_sender: {
    id: 63,
    match: [source, network, flags, 'eth_type', 'ip_proto', 'icmpv6_type'],
    // An announcement passes as `known` does.
    neutral: ['announcement'],
    bands: { known: 300, announcement: 200, other: 100, miss: 0 },
    load: [flags],
    learn: ['moved_senders', 'moved_receivers'],
    resubmit: ['claims'],
  },
  /** For a port that moves: asks whether it has announced itself. */
  to_moving: {
    id: 64,
    match: [],
    bands: { any: 0 },
    resubmit: ['moved_receivers'],
    next: ['moving_receiver'],
  },
  /** To the host where the port is. */
  moving_receiver: {
    id: 65,
    match: [destination, network, flags],
    bands: { announced: 200, before: 100, miss: 0 },
    load: [destination, destinationSet, host, flags],
    resubmit: ['isolation', after('forwarding'), after('ingressRules')],
  },
  /** By receiver: ports that have announced themselves where they arrive. */
  moved_receivers: { id: 66, match: [], bands: {}, owner: 'switch' },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const moveReasons = {
  moving: 'the port that sent it, or is to get it, is about to move',
  'move-announced': 'the port announces itself where it arrives: the switch learns it',
  'at-home': 'the port has not announced itself on another host',
  'moved-connection':
    'TCP amid a connection of a port that has moved here: the agent gets a copy, rules judge',
  arrived: 'the port has announced itself where it arrives',
} as const;
