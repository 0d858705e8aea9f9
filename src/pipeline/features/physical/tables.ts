/** What comes from a physical network: its VLAN says which network it is of. */
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { zone, network, flags, origin } = register;

export const physicalTables = {
  /** Patch port and VLAN → the network and its zone. The sender is nobody. */
  physical: {
    id: 19,
    match: ['in_port', 'vlan_vid', 'eth_src', 'eth_type'],
    bands: { nested: 300, ownMac: 200, outerMac: 150, segment: 100, unknown: 0 },
    load: [zone, network, flags, origin],
    uses: ['vlan'],
    next: [after('egressQos')],
  },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const physicalReasons = {
  physical: 'from or to a physical network',
  'unknown-mac': 'no port here has the MAC: to the physical network',
} as const;
