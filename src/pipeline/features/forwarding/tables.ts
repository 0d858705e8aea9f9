/** Forwarding: destination MAC → the port or ports that hold it, and the hosts of those that are elsewhere. */
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { source, zone, network, destination, destinationSet, flags, copy, host } = register;

export const forwardingTables = {
  l2: {
    id: 35,
    match: [zone, source, destination, network, flags, copy, 'eth_dst', 'eth_type', 'ip_frag', 'ct_state'],
    neutral: ['heldLookup', 'lookupForGroup', 'learned', 'lookupForShared', 'sharedPiece'],
    bands: {
      heldLookup: 1000,
      invalidPiece: 300,
      lookupForGroup: 250,
      group: 200,
      router: 180,
      learned: 170,
      sharedPiece: 160,
      lookupForShared: 150,
      known: 100,
      physical: 2,
      unknown: 1,
      miss: 0,
    },
    load: [network, destination, destinationSet, copy, host],
    uses: ['clone'],
    lookup: ['l2'],
    resubmit: ['l2', 'isolation', 'to_moving', after('forwarding'), after('ingressRules')],
    next: ['isolation', 'to_moving', after('forwarding'), after('ingressRules')],
  },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const forwardingReasons = {
  'known-mac': 'one port has the MAC',
  'shared-mac': 'several ports have the MAC',
  'learned-mac': 'the switch has learned which of several ports has the MAC',
  flood: 'broadcast and multicast',
  lookup: 'one lookup for all receivers',
} as const;
