/**
 * The table of match fields: the OXM or NXM TLV of each name of ovs-fields(7). The table is in wire order: a
 * field follows all its prerequisites. Where a field has an OXM and an NXM form, the table has the one that
 * OVS writes under OpenFlow 1.5.
 */

/** OXM classes. Ericsson's is a plain class number, not the experimenter class. */
export const oxmClasses = {
  nxm0: 0x0000,
  nxm1: 0x0001,
  ericsson: 0x1000,
  basic: 0x8000,
  packetRegs: 0x8001,
  experimenter: 0xffff,
} as const;

export interface OxmField {
  readonly class: keyof typeof oxmClasses;
  readonly number: number;
  /** Significant low bits; the TLV has whole bytes. */
  readonly bits: number;
  readonly maskable: boolean;
}

const exact = <C extends keyof typeof oxmClasses>(of: C, number: number, bits: number) =>
  ({ class: of, number, bits, maskable: false }) as const;
const masked = <C extends keyof typeof oxmClasses>(of: C, number: number, bits: number) =>
  ({ class: of, number, bits, maskable: true }) as const;

export const oxmFields = {
  // Metadata that travels beside the packet.
  packet_type: exact('basic', 44, 32),
  in_port: exact('basic', 0, 32),
  in_port_nxm: exact('nxm0', 0, 16),
  actset_output: exact('basic', 43, 32),
  metadata: masked('basic', 2, 64),
  tun_id: masked('basic', 38, 64),
  tun_flags: masked('nxm1', 104, 16),
  tun_src: masked('nxm1', 31, 32),
  tun_dst: masked('nxm1', 32, 32),
  tun_ipv6_src: masked('nxm1', 109, 128),
  tun_ipv6_dst: masked('nxm1', 110, 128),
  tun_gbp_id: masked('nxm1', 38, 16),
  tun_gbp_flags: masked('nxm1', 39, 8),
  // Geneve options of four bytes, once NXT_TLV_TABLE_MOD has mapped them.
  tun_metadata0: masked('nxm1', 40, 32),
  tun_metadata1: masked('nxm1', 41, 32),
  tun_metadata2: masked('nxm1', 42, 32),
  tun_metadata3: masked('nxm1', 43, 32),
  tun_metadata4: masked('nxm1', 44, 32),
  tun_metadata5: masked('nxm1', 45, 32),
  tun_metadata6: masked('nxm1', 46, 32),
  tun_metadata7: masked('nxm1', 47, 32),
  // Registers; xreg0 is reg0 (high half) and reg1, xxreg0 is reg0..reg3.
  reg0: masked('nxm1', 0, 32),
  reg1: masked('nxm1', 1, 32),
  reg2: masked('nxm1', 2, 32),
  reg3: masked('nxm1', 3, 32),
  reg4: masked('nxm1', 4, 32),
  reg5: masked('nxm1', 5, 32),
  reg6: masked('nxm1', 6, 32),
  reg7: masked('nxm1', 7, 32),
  reg8: masked('nxm1', 8, 32),
  reg9: masked('nxm1', 9, 32),
  reg10: masked('nxm1', 10, 32),
  reg11: masked('nxm1', 11, 32),
  reg12: masked('nxm1', 12, 32),
  reg13: masked('nxm1', 13, 32),
  reg14: masked('nxm1', 14, 32),
  reg15: masked('nxm1', 15, 32),
  xreg0: masked('packetRegs', 0, 64),
  xreg1: masked('packetRegs', 1, 64),
  xreg2: masked('packetRegs', 2, 64),
  xreg3: masked('packetRegs', 3, 64),
  xreg4: masked('packetRegs', 4, 64),
  xreg5: masked('packetRegs', 5, 64),
  xreg6: masked('packetRegs', 6, 64),
  xreg7: masked('packetRegs', 7, 64),
  xxreg0: masked('nxm1', 111, 128),
  xxreg1: masked('nxm1', 112, 128),
  xxreg2: masked('nxm1', 113, 128),
  xxreg3: masked('nxm1', 114, 128),
  pkt_mark: masked('nxm1', 33, 32),
  conj_id: exact('nxm1', 37, 32),
  ct_state: masked('nxm1', 105, 32),
  ct_zone: exact('nxm1', 106, 16),
  ct_mark: masked('nxm1', 107, 32),
  ct_label: masked('nxm1', 108, 128),
  // Ethernet.
  eth_dst: masked('basic', 3, 48),
  eth_src: masked('basic', 4, 48),
  eth_type: exact('basic', 5, 16),
  // vlan_vid carries OFPVID_PRESENT (0x1000); vlan_tci is the whole tag with that bit in place of CFI.
  vlan_tci: masked('nxm0', 4, 16),
  vlan_vid: masked('basic', 6, 13),
  vlan_pcp: exact('basic', 7, 3),
  mpls_label: exact('basic', 34, 20),
  mpls_tc: exact('basic', 35, 3),
  mpls_bos: exact('basic', 36, 1),
  mpls_ttl: exact('nxm1', 30, 8),
  // The original tuple of a tracked connection; needs eth_type and a tracked ct_state.
  ct_nw_proto: exact('nxm1', 119, 8),
  ct_nw_src: masked('nxm1', 120, 32),
  ct_nw_dst: masked('nxm1', 121, 32),
  ct_ipv6_src: masked('nxm1', 122, 128),
  ct_ipv6_dst: masked('nxm1', 123, 128),
  ct_tp_src: masked('nxm1', 124, 16),
  ct_tp_dst: masked('nxm1', 125, 16),
  // IP.
  ip_proto: exact('basic', 10, 8),
  ip_dscp: exact('basic', 8, 6),
  ip_ecn: exact('basic', 9, 2),
  nw_ttl: exact('nxm1', 29, 8),
  ip_frag: masked('nxm1', 26, 2),
  ip_src: masked('basic', 11, 32),
  ip_dst: masked('basic', 12, 32),
  ipv6_src: masked('basic', 26, 128),
  ipv6_dst: masked('basic', 27, 128),
  ipv6_label: masked('basic', 28, 20),
  // Transport.
  tcp_src: masked('basic', 13, 16),
  tcp_dst: masked('basic', 14, 16),
  tcp_flags: masked('basic', 42, 12),
  udp_src: masked('basic', 15, 16),
  udp_dst: masked('basic', 16, 16),
  sctp_src: masked('basic', 17, 16),
  sctp_dst: masked('basic', 18, 16),
  icmp_type: exact('basic', 19, 8),
  icmp_code: exact('basic', 20, 8),
  icmpv6_type: exact('basic', 29, 8),
  icmpv6_code: exact('basic', 30, 8),
  // ARP and neighbour discovery.
  arp_op: exact('basic', 21, 16),
  arp_spa: masked('basic', 22, 32),
  arp_tpa: masked('basic', 23, 32),
  arp_sha: masked('basic', 24, 48),
  arp_tha: masked('basic', 25, 48),
  nd_target: masked('basic', 31, 128),
  nd_sll: masked('basic', 32, 48),
  nd_tll: masked('basic', 33, 48),
  nd_reserved: exact('ericsson', 1, 32),
  nd_options_type: exact('ericsson', 2, 8),
} as const satisfies Record<string, OxmField>;

export type FieldName = keyof typeof oxmFields;

/** Bytes of a field's value in a TLV; labels of 20 bits take four. */
export function bytesOf(field: FieldName): number {
  const bits = oxmFields[field].bits;
  return bits > 16 && bits <= 32 ? 4 : Math.ceil(bits / 8);
}

/** Bits of the field ct_state. */
export const ctStateBits = { new: 1, est: 2, rel: 4, rpl: 8, inv: 16, trk: 32, snat: 64, dnat: 128 } as const;

/** Bits of ip_frag: `any` on every fragment, `later` on all but the first. */
export const ipFrag = { any: 1, later: 2 } as const;

/** OFPVID_PRESENT: the frame has a tag. */
export const vlanPresent = 0x1000;

/** NXM forms of fields that are listed above in their OXM form; read, never written. */
export const nxmTwins = {
  nxm0: {
    eth_dst: 1,
    eth_src: 2,
    eth_type: 3,
    ip_proto: 6,
    ip_src: 7,
    ip_dst: 8,
    tcp_src: 9,
    tcp_dst: 10,
    udp_src: 11,
    udp_dst: 12,
    icmp_type: 13,
    icmp_code: 14,
    arp_op: 15,
    arp_spa: 16,
    arp_tpa: 17,
  },
  nxm1: {
    tun_id: 16,
    arp_sha: 17,
    arp_tha: 18,
    ipv6_src: 19,
    ipv6_dst: 20,
    icmpv6_type: 21,
    icmpv6_code: 22,
    nd_target: 23,
    nd_sll: 24,
    nd_tll: 25,
    ipv6_label: 27,
    ip_ecn: 28,
    tcp_flags: 34,
  },
} as const satisfies Record<'nxm0' | 'nxm1', Partial<Record<FieldName, number>>>;
