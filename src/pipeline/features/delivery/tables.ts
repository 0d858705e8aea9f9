/** The last table: output to the port that gets the packet, into a tunnel to its host, or to the physical network. */
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

export const deliveryTables = {
  dispatch: {
    id: 54,
    match: [register.destination, register.network, register.host, 'vlan_vid'],
    // The way to another host or to the physical network forbids nothing.
    neutral: ['tunnel', 'physical'],
    bands: { tagged: 300, tunnel: 200, physical: 160, router: 150, port: 100, gone: 0 },
    load: [register.router, register.fault],
    next: ['route'],
    uses: ['vlan'],
    rewrite: ['vlan_vid', 'tun_id', 'tun_dst', 'tun_ipv6_dst', 'tun_metadata0'],
    output: ['port'],
  },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const deliveryReasons = {
  deliver: 'output to the receiver',
} as const;
