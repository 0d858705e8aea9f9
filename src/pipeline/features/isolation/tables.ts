/** Isolated networks: whether the roles of sender and receiver permit the frame. Only their ports' frames come here. */
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { source, network, destination, flags, host, origin } = register;

export const isolationTables = {
  isolation: {
    id: 36,
    match: [
      source,
      network,
      destination,
      origin,
      flags,
      host,
      'eth_dst',
      'eth_type',
      'ip_proto',
      'ip_frag',
      'icmp_type',
      'icmpv6_type',
    ],
    bands: {
      ownEcho: 400,
      redirect: 350,
      together: 300,
      outerMac: 250,
      outerForbidden: 240,
      unicast: 200,
      gateway: 100,
      fromIsolated: 90,
      ofCommunity: 80,
      forbidden: 1,
      miss: 0,
    },
    next: [after('forwarding'), after('ingressRules')],
  },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const isolationReasons = {
  'same-role': 'both ports are promiscuous, or of one community',
  'promiscuous-port': 'one of the ports is promiscuous',
  'gateway-discovery':
    'a question or an advertisement of a promiscuous port, or a router solicitation to one',
  'to-other-host': 'what a promiscuous port or a community sends to all; the other host judges it again',
  'promiscuous-physical': 'nobody here has the MAC, and the physical network counts as promiscuous',
} as const;
