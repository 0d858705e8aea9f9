import { describe, expect, it } from 'vitest';
import type { Action } from '../flow.ts';
import type { FlowMod, Message } from '../message.ts';
import { ports } from '../spec/numbers.ts';
import { vectors } from '../testing/vectors.ts';
import { decodeMessage, encodeMessage } from './messages.ts';

const boring = new Set(['hello', 'barrier_request', 'barrier_reply', 'features_request', 'features_reply']);

/** The single message of a type that a recorded command sent or received. */
function messageOf<T extends Message['type']>(name: string, type: T, side: 'sent' | 'received' = 'sent') {
  const vector = vectors.find((candidate) => candidate.name === name);
  const found = vector?.[side]
    .map((frame) => decodeMessage(frame).message)
    .filter((message) => message.type === type);
  expect(found).toBeDefined();
  return found?.at(-1) as Extract<Message, { type: T }>;
}

const flowOf = (name: string): FlowMod => messageOf(name, 'flow_mod');

/** The bytes of a flow-mod behind its match. */
function instructionsOf(frame: Buffer): string {
  const matchLength = frame.readUInt16BE(50);
  return frame.subarray(48 + Math.ceil(matchLength / 8) * 8).toString('hex');
}

describe('recorded conversations of ovs-ofctl and ovs-vswitchd', () => {
  it('are there', () => expect(vectors.length).toBeGreaterThan(45));

  it.each(vectors.map((vector) => [vector.name, vector] as const))(
    '%s decodes, and encodes to the same bytes',
    (_, vector) => {
      for (const frame of [...vector.sent, ...vector.received]) {
        const { xid, message } = decodeMessage(frame);
        expect(message.type).not.toBe('unknown');
        expect(message.type).not.toBe('experimenter');
        const again = encodeMessage(message, xid);
        expect(decodeMessage(again)).toEqual({ xid, message });
        if (boring.has(message.type) || message.type === 'hello') continue;
        // The encoder puts matches in our order, and learn names its fields in OXM. The rest is equal byte by
        // byte.
        if (message.type === 'flow_mod' && vector.name !== 'flow-learn') {
          expect(instructionsOf(again)).toBe(instructionsOf(frame));
        }
        const verbatim = [
          'group_mod',
          'meter_mod',
          'ct_flush',
          'ct_flush_zone',
          'tlv_table_mod',
          'bundle_control',
          'bundle_add',
        ];
        if (verbatim.includes(message.type)) expect(again.toString('hex')).toBe(frame.toString('hex'));
      }
    },
  );

  it('registers', () => {
    expect(flowOf('flow-registers')).toEqual({
      type: 'flow_mod',
      command: 'add',
      table: 4,
      priority: 7,
      cookie: 0x123456789abcdef0n,
      match: {
        in_port: 3,
        metadata: { value: 0x55n, mask: 0xffn },
        reg0: 1,
        reg5: { value: 0x12, mask: 0xff },
        reg6: 7,
        pkt_mark: 9,
      },
      actions: [
        { type: 'set_field', field: 'reg1', value: 5 },
        { type: 'set_field', field: 'reg2', value: 0x30, mask: 0xf0 },
        {
          type: 'move',
          from: { field: 'reg0', offset: 0, bits: 16 },
          to: { field: 'reg3', offset: 16, bits: 16 },
        },
      ],
      goto: 9,
    });
    expect(flowOf('flow-wide-registers').match).toEqual({
      reg8: 0x11223344,
      reg9: 0x55667788,
      reg15: { value: 1, mask: 0xff },
    });
  });

  it('connection tracking', () => {
    const { match, actions } = flowOf('flow-conntrack');
    expect(match).toEqual({
      ct_state: { value: 0x22, mask: 0x36 },
      ct_zone: 77,
      ct_mark: { value: 1, mask: 3 },
      ct_label: { value: 2n, mask: 15n },
      eth_type: 0x800,
      ip_proto: 6,
      ip_src: { value: 0x0a000000, mask: 0xff000000 },
      tcp_dst: { value: 0x50, mask: 0xfff0 },
    });
    const exec: Action[] = [
      { type: 'set_field', field: 'ct_mark', value: 1, mask: 1 },
      { type: 'set_field', field: 'ct_label', value: 7n << 32n, mask: 0xffffffffn << 32n },
    ];
    expect(actions).toEqual([
      {
        type: 'ct',
        commit: true,
        force: true,
        zone: { field: 'reg3', offset: 0, bits: 16 },
        table: 9,
        alg: 21,
        exec,
      },
      { type: 'ct_clear' },
      { type: 'ct', zone: 5 },
    ]);
  });

  it('conjunctions and resubmits', () => {
    expect(flowOf('flow-conjunction').actions).toEqual([
      { type: 'conjunction', id: 1000, clause: 1, of: 3 },
      { type: 'conjunction', id: 1001, clause: 2, of: 2 },
    ]);
    const { match, actions } = flowOf('flow-conjunction-id');
    expect(match).toEqual({ conj_id: 1000, eth_type: 0x800 });
    expect(actions).toEqual([
      { type: 'resubmit', table: 8 },
      { type: 'resubmit', table: 9, port: 7 },
      { type: 'resubmit', table: 9, port: ports.local },
    ]);
  });

  it('learn', () => {
    expect(flowOf('flow-learn').actions).toEqual([
      {
        type: 'learn',
        learn: {
          idleTimeout: 10,
          hardTimeout: 20,
          finIdleTimeout: 1,
          finHardTimeout: 0,
          priority: 77,
          cookie: 0x42n,
          flags: 3,
          table: 20,
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
            { kind: 'output', from: { field: 'reg9', offset: 0, bits: 32 } },
          ],
        },
      },
    ]);
  });

  it('packets to the controller, notes', () => {
    expect(flowOf('flow-controller').actions).toEqual([
      {
        type: 'controller',
        userdata: Uint8Array.from([1, 2, 3, 4, 5]),
        maxLen: 200,
        controllerId: 3,
        reason: 0,
        pause: true,
        meter: 4,
      },
      { type: 'controller', userdata: Uint8Array.from([0xaa]) },
      { type: 'output', port: ports.controller },
      { type: 'output', port: ports.controller, maxLen: 128 },
      { type: 'note', bytes: Uint8Array.from([1, 2, 3, 4, 5, 6, 7]) },
    ]);
  });

  it('ARP and neighbour discovery', () => {
    expect(flowOf('flow-arp').match).toEqual({
      eth_type: 0x806,
      arp_op: 1,
      arp_spa: 0x0a000001,
      arp_tpa: { value: 0x0a000000, mask: 0xffffff00 },
      arp_sha: 0x020000000001n,
      arp_tha: 0n,
    });
    expect(flowOf('flow-neighbour-advertisement').match).toEqual({
      eth_type: 0x86dd,
      ip_proto: 58,
      icmpv6_type: 136,
      icmpv6_code: 0,
      nd_target: (0xfe80n << 112n) | 1n,
      nd_tll: { value: 0x020000000000n, mask: 0xffffff000000n },
      nd_reserved: 0xe0000000,
      nd_options_type: 2,
    });
  });

  it('VLANs and fragments', () => {
    expect(flowOf('flow-vlan').match).toEqual({ vlan_vid: 0x1064, vlan_pcp: 3 });
    expect(flowOf('flow-untagged').match).toEqual({
      vlan_vid: 0,
      eth_dst: { value: 1n << 40n, mask: 1n << 40n },
    });
    expect(flowOf('flow-ip').match).toMatchObject({
      ip_frag: { value: 0, mask: 2 },
      ip_dscp: 8,
      ip_ecn: 1,
      nw_ttl: 64,
    });
  });

  it('unknown TLVs are kept', () => {
    const { actions, otherInstructions } = flowOf('flow-foreign');
    expect(actions).toMatchObject([{ type: 'raw' }]);
    expect(otherInstructions?.length).toBe(24 + 24);
  });

  it('conntrack flushes', () => {
    expect(messageOf('ct-flush', 'ct_flush')).toEqual({
      type: 'ct_flush',
      protocol: 6,
      zone: 5,
      original: { src: 0xffff0a000001n, dst: 0xffff0a000002n, srcPort: 1, dstPort: 2 },
      reply: { src: 0xffff0a000002n },
    });
    expect(messageOf('ct-flush-zone', 'ct_flush_zone').zone).toBe(513);
  });

  it('errors', () => {
    expect(messageOf('flow-original-tuple', 'error', 'received')).toMatchObject({ errorType: 4, code: 9 });
  });
});
