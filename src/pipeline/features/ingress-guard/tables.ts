/** Ingress guard: a port gets its own addresses, broadcast and multicast. */
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { source, network, destination, dhcp } = register;

export const ingressGuardTables = {
  /** As guard_type: un-wildcards what the receiving side matches. */
  ingress_type: {
    id: 37,
    match: ['eth_type', 'ip_proto', 'udp_dst'],
    bands: { dhcp: 130, lowPorts: 120, udp: 110, protocol: 105, rest: 0 },
    load: [dhcp],
    unwildcard: ['icmpv6_type', 'udp_src', 'udp_dst'],
    next: ['ingress_guard'],
  },
  ingress_guard: {
    id: 38,
    match: [source, network, destination, 'vlan_vid', 'eth_type', 'ip_dst', 'ipv6_dst'],
    bands: {
      ownEcho: 400,
      tagged: 350,
      addressResolution: 300,
      macOnly: 210,
      own: 200,
      foreign: 100,
      other: 1,
      miss: 0,
    },
    unwildcard: ['ip_src', 'ip_dst', 'ipv6_src', 'ipv6_dst'],
    next: [after('ingressGuard'), after('ingressRules')],
  },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const ingressGuardReasons = {
  'own-echo': "the sender's own copy of a flooded frame ends here",
  'own-mac': 'the port hears every address (`mac-only`)',
  'own-address': 'an address of the port',
  'subnet-broadcast': 'broadcast of a subnet',
  broadcast: 'broadcast',
  multicast: 'multicast',
  arp: 'ARP',
  rarp: 'RARP',
  'whole-fields': 'un-wildcards what the receiving side matches',
} as const;
