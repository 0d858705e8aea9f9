/** Connection records: after the last verdict on this host, the connection's record gets the ports that admitted it. */
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { destination, zone, network, flags, copy, host } = register;

export const recordTables = {
  /** Whether there is anything to put on record. */
  commit: {
    id: 48,
    match: [flags, copy, 'eth_dst', 'eth_type', 'ip_frag', 'ct_state'],
    bands: { group: 200, copiedPiece: 150, newOnRecord: 100, none: 0 },
    next: ['remember', after('records')],
  },
  /** Puts ports on record. Only here are records matched whole. */
  remember: {
    id: 49,
    match: [flags, copy, 'eth_type', 'ip_frag', 'ct_state', 'ct_label'],
    bands: { firstCopy: 125, first: 120, laterCopy: 110, free: 105, last: 100, none: 0 },
    uses: ['clone', 'commit'],
    lookup: ['committed'],
    next: [after('records')],
  },
  /** A commit that reassembles pieces may release others: only those of the connection go on. */
  committed: {
    id: 50,
    match: [zone, network, destination, host, 'ct_state', 'ct_zone', 'ct_label', 'ct_mark'],
    neutral: ['heldLookup'],
    bands: { heldLookup: 1000, unrecorded: 150, own: 100, otherHost: 50, stray: 0 },
    load: [network],
    resubmit: ['committed'],
    next: [after('records')],
  },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const recordReasons = {
  commit: 'puts ports on the record',
  committed: 'the connection is one of the port',
  multicast: 'a group address never answers: not committed',
  'copied-fragment': 'fragments to several ports are not committed',
  'new-on-record': 'a port is not on the record yet',
  'no-commit': 'nothing to put on record',
} as const;
