/** DHCP requests and router solicitations that the agent answers. */
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { source, network, dhcp } = register;

export const dhcpTables = {
  /** What a guest asks of the built-in server, or of routers, goes to the agent, and nowhere else. */
  dhcp: {
    id: 18,
    match: [
      network,
      source,
      dhcp,
      'eth_type',
      'eth_src',
      'eth_dst',
      'ip_proto',
      'ip_frag',
      'ip_dst',
      'ipv6_dst',
      'udp_src',
      'udp_dst',
      'icmpv6_type',
      'icmpv6_code',
    ],
    neutral: 'all',
    bands: { request: 100, solicitation: 90, toServer: 80, none: 0 },
    rewrite: ['eth_dst'],
    output: ['controller'],
    next: [after('dhcp')],
  },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const dhcpReasons = {
  'dhcp-request': 'a DHCP request that the agent answers',
  'router-solicitation': 'a router solicitation that the agent answers',
  'to-dhcp-server': 'a DHCP request in an isolated network, for the DHCP port alone',
  'no-dhcp-request': 'nothing that the agent answers',
} as const;
