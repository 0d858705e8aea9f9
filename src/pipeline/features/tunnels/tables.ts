/** What comes through a tunnel: the host that it is from, then the port that sent it there. */
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { source, zone, network, flags, host, router, origin } = register;

export const tunnelTables = {
  /** Outer source → the number of the host. */
  tunnel_host: {
    id: 32,
    match: ['in_port', 'tun_src', 'tun_ipv6_src'],
    // Who of the host may send is a flow of tunnel_sender, and goes with the host.
    neutral: ['known'],
    bands: { known: 100, unknown: 0 },
    load: [host],
    next: ['tunnel_sender'],
  },
  /** Host, VNI, and the sender's key or MAC → what classify loads for a port of this host. */
  tunnel_sender: {
    id: 33,
    match: [host, 'tun_id', 'tun_metadata0', 'eth_src'],
    bands: { router: 320, key: 300, routerMac: 250, mac: 200, unguarded: 150, network: 100, unknown: 0 },
    load: [source, zone, network, flags, host, router, origin],
    next: [after('egressQos')],
  },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const tunnelReasons = {
  tunnel: 'from or to another host',
  'tunnel-port': 'a port of the host that the tunnel comes from',
} as const;
