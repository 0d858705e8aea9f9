/** DHCP requests that the agent answers. */
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { source, network, dhcp } = register;

export const dhcpTables = {
  /** What a client asks of the built-in server goes to the agent, and nowhere else. */
  dhcp: {
    id: 18,
    match: [
      network,
      source,
      dhcp,
      'eth_type',
      'eth_src',
      'ip_proto',
      'ip_dst',
      'ipv6_dst',
      'udp_src',
      'udp_dst',
    ],
    neutral: 'all',
    bands: { request: 100, none: 0 },
    output: ['controller'],
    next: [after('dhcp')],
  },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const dhcpReasons = {
  'dhcp-request': 'a DHCP request that the agent answers',
  'no-dhcp-request': 'nothing that the built-in DHCP server answers',
} as const;
