/** Flows of every kind that the pipeline derives, valid for a real switch. */
import type { Action, Flow, Match } from '../../src/openflow/index.ts';
import { ports } from '../../src/openflow/index.ts';

const cookie = 0x123456789abcdef0n;
const learnt: Action = {
  type: 'learn',
  learn: {
    idleTimeout: 0,
    hardTimeout: 30,
    priority: 5,
    cookie: 7n,
    flags: 2,
    table: 20,
    finIdleTimeout: 0,
    finHardTimeout: 0,
    specs: [
      { kind: 'match', from: { value: 0x800n }, to: { field: 'eth_type', offset: 0, bits: 16 } },
      {
        kind: 'match',
        from: { field: 'arp_spa', offset: 0, bits: 32 },
        to: { field: 'ip_dst', offset: 0, bits: 32 },
      },
      {
        kind: 'match',
        from: { field: 'reg1', offset: 4, bits: 12 },
        to: { field: 'reg1', offset: 4, bits: 12 },
      },
      {
        kind: 'load',
        from: { field: 'eth_src', offset: 0, bits: 48 },
        to: { field: 'eth_dst', offset: 0, bits: 48 },
      },
      { kind: 'load', from: { value: 1n }, to: { field: 'reg10', offset: 3, bits: 1 } },
      {
        kind: 'load',
        from: { field: 'in_port', offset: 0, bits: 32 },
        to: { field: 'reg9', offset: 0, bits: 32 },
      },
      { kind: 'output', from: { field: 'reg9', offset: 0, bits: 32 } },
    ],
  },
};

const tracked: Action = {
  type: 'ct',
  zone: { field: 'reg3', offset: 0, bits: 16 },
  commit: true,
  table: 9,
  exec: [
    { type: 'set_field', field: 'ct_mark', value: 1, mask: 1 },
    { type: 'set_field', field: 'ct_label', value: 1n, mask: 3n },
    {
      type: 'move',
      from: { field: 'reg1', offset: 0, bits: 32 },
      to: { field: 'ct_label', offset: 32, bits: 32 },
    },
  ],
};

const bodies: readonly (readonly [Match, readonly Action[], number?])[] = [
  [{}, []],
  [
    {
      in_port: 3,
      metadata: { value: 5n, mask: 0xffn },
      reg1: 5,
      reg2: { value: 0x1200, mask: 0xff00 },
      reg15: 0x80000000,
    },
    [
      { type: 'set_field', field: 'reg0', value: 5, mask: 0xff },
      { type: 'resubmit', table: 4 },
    ],
    3,
  ],
  [
    { xreg3: 7n, xxreg2: { value: 5n << 32n, mask: 0xfn << 32n } },
    [{ type: 'set_field', field: 'xreg0', value: 9n }],
  ],
  [
    {
      ct_state: { value: 0x21, mask: 0x37 },
      ct_zone: 3,
      ct_mark: { value: 1, mask: 3 },
      ct_label: { value: 5n, mask: 0xffn },
      eth_type: 0x800,
    },
    [{ type: 'ct', zone: 5 }, { type: 'ct_clear' }],
  ],
  [
    {
      eth_type: 0x800,
      ip_proto: 6,
      ip_src: { value: 0x0a000000, mask: 0xff000000 },
      tcp_dst: { value: 0x400, mask: 0xfc00 },
      eth_src: 0xaabbccddeeffn,
      ip_frag: { value: 0, mask: 2 },
      ip_dscp: 8,
      nw_ttl: 64,
    },
    [tracked, { type: 'dec_ttl' }],
  ],
  [{ eth_type: 0x800, ip_proto: 17, udp_src: 67, ip_frag: 1 }, []],
  [{ eth_type: 0x806, arp_op: 2 }, [learnt]],
  [{ eth_type: 0x86dd, ip_proto: 58, icmpv6_type: 135, icmpv6_code: 0, nd_target: 5n, nd_sll: 3n }, []],
  [
    {
      eth_type: 0x86dd,
      ip_proto: 58,
      icmpv6_type: 136,
      icmpv6_code: 0,
      nd_tll: 3n,
      nd_reserved: 7,
      nd_options_type: 2,
    },
    [],
  ],
  [
    {
      eth_type: 0x86dd,
      ipv6_src: { value: 0xfe80n << 112n, mask: 0xffc0n << 112n },
      ipv6_label: { value: 5, mask: 0xf },
      ip_proto: 6,
      tcp_flags: { value: 2, mask: 0x12 },
    },
    [{ type: 'note', bytes: Uint8Array.from([1, 2, 3, 4, 5, 6, 7]) }],
  ],
  [
    {
      eth_type: 0x806,
      arp_op: 1,
      arp_spa: 5,
      arp_tpa: { value: 0x0a000000, mask: 0xff000000 },
      arp_sha: 5n,
      arp_tha: 6n,
    },
    [
      {
        type: 'move',
        from: { field: 'arp_sha', offset: 0, bits: 48 },
        to: { field: 'arp_tha', offset: 0, bits: 48 },
      },
      { type: 'set_field', field: 'arp_op', value: 2 },
      { type: 'controller', userdata: Uint8Array.from([1, 2, 3]), maxLen: 100 },
      { type: 'controller' },
      { type: 'output', port: ports.inPort },
      { type: 'output', port: ports.controller },
      { type: 'output', port: 5 },
    ],
  ],
  [
    { conj_id: 7, eth_type: 0x800 },
    [
      { type: 'push_vlan', ethertype: 0x8100 },
      { type: 'set_field', field: 'vlan_vid', value: 0x1005 },
      { type: 'pop_vlan' },
      { type: 'set_field', field: 'tun_id', value: 5n },
      { type: 'set_field', field: 'eth_src', value: 5n },
    ],
  ],
  [
    { eth_type: 0x800, reg1: 3 },
    [
      { type: 'conjunction', id: 7, clause: 1, of: 2 },
      { type: 'conjunction', id: 8, clause: 2, of: 3 },
    ],
  ],
  [
    { eth_type: 0x86dd, reg3: 3 },
    [
      {
        type: 'clone',
        actions: [
          { type: 'output_trunc', port: ports.controller, maxLen: 14 },
          { type: 'output_trunc', port: 7, maxLen: 0x12345 },
          { type: 'resubmit', table: 5 },
        ],
      },
      { type: 'set_field', field: 'ip_dscp', value: 46 },
      { type: 'check_pkt_larger', bytes: 1514, field: 'reg12', offset: 3 },
    ],
  ],
  [
    { vlan_tci: { value: 0, mask: 0x1fff }, metadata: 0x55n },
    [
      { type: 'resubmit', table: 5, port: 7 },
      { type: 'resubmit', table: 5, port: ports.local },
    ],
  ],
  [
    {
      vlan_vid: { value: 0x1000, mask: 0x1000 },
      tun_id: { value: 5n, mask: 0xffn },
      tun_src: 7,
      pkt_mark: 3,
    },
    [],
  ],
  [
    { vlan_vid: 0x1064, vlan_pcp: 5, eth_dst: { value: 1n << 40n, mask: 1n << 40n } },
    [{ type: 'output', port: ports.normal }],
  ],
  [{ vlan_tci: { value: 0, mask: 0x1000 }, eth_type: 0x800, ip_proto: 1, icmp_type: 0, icmp_code: 0 }, []],
  [
    { eth_type: 0x800, ct_state: { value: 0x21, mask: 0x21 }, ct_nw_proto: 6, ct_nw_src: 5, ct_tp_dst: 80 },
    [],
  ],
  [{ tun_ipv6_src: 1n, tun_ipv6_dst: { value: 0x20010db8n << 96n, mask: 0xffffffffn << 96n } }, []],
  [{ eth_type: 0x800, ip_proto: 132, sctp_src: 1, sctp_dst: { value: 2, mask: 2 } }, []],
];

export const sampleFlows: readonly Flow[] = bodies.map(([match, actions, goto], i) => ({
  table: 1,
  priority: 100 + i,
  cookie: cookie + BigInt(i),
  match,
  actions,
  ...(goto === undefined ? {} : { goto }),
}));
