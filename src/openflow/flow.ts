/**
 * The types of flows: matches, actions, flows. Values only; the codec encodes them. Field names are those of
 * ovs-fields(7); `spec/oxm.ts` has their table.
 */
import type { FieldName } from './spec/oxm.ts';

/** A number fits fields up to 32 bits; wider fields (MAC, IPv6, labels, metadata) need a bigint. */
export type FieldBits = number | bigint;
export interface Masked {
  readonly value: FieldBits;
  readonly mask: FieldBits;
}
export type Match = { readonly [F in FieldName]?: FieldBits | Masked };

/** Bits `[offset, offset + bits)` of a field, bit 0 the lowest. */
export interface Subfield {
  readonly field: FieldName;
  readonly offset: number;
  readonly bits: number;
}

export type Action =
  | { readonly type: 'output'; readonly port: number; readonly maxLen?: number }
  /** NXAST_OUTPUT_TRUNC: the first `maxLen` bytes, at least 14. */
  | { readonly type: 'output_trunc'; readonly port: number; readonly maxLen: number }
  | { readonly type: 'group'; readonly group: number }
  | { readonly type: 'meter'; readonly meter: number }
  | { readonly type: 'push_vlan'; readonly ethertype: number }
  | { readonly type: 'pop_vlan' }
  | { readonly type: 'push_mpls' | 'pop_mpls'; readonly ethertype: number }
  | { readonly type: 'dec_ttl' }
  /** NXAST_CHECK_PKT_LARGER: whether the frame has more than `bytes`, in bit `offset` of a field. */
  | {
      readonly type: 'check_pkt_larger';
      readonly bytes: number;
      readonly field: FieldName;
      readonly offset: number;
    }
  /** OpenFlow 1.5's masked set-field. It also loads registers: OVS turns NXAST_REG_LOAD into it. */
  | {
      readonly type: 'set_field';
      readonly field: FieldName;
      readonly value: FieldBits;
      readonly mask?: FieldBits;
    }
  /** NXAST_REG_MOVE, or copy_field of OpenFlow 1.5: `bits` of both subfields are equal. */
  | { readonly type: 'move'; readonly from: Subfield; readonly to: Subfield }
  | { readonly type: 'resubmit'; readonly table: number; readonly port?: number }
  | {
      readonly type: 'ct';
      readonly commit?: boolean;
      readonly force?: boolean;
      readonly zone: number | Subfield;
      /** Recirculates to this table with ct_state known. */
      readonly table?: number;
      readonly alg?: number;
      /** Only ct_mark and ct_label may be written inside. */
      readonly exec?: readonly Action[];
    }
  | { readonly type: 'ct_clear' }
  /** NXAST_CLONE: afterwards the packet, registers and conntrack state are as before its actions. */
  | { readonly type: 'clone'; readonly actions: readonly Action[] }
  /** `clause` counts from 1, as ovs-ofctl prints it. */
  | { readonly type: 'conjunction'; readonly id: number; readonly clause: number; readonly of: number }
  | { readonly type: 'learn'; readonly learn: Learn }
  | { readonly type: 'note'; readonly bytes: Uint8Array }
  /** NXAST_CONTROLLER2: sends a copy (or a paused packet) to the controller in NXT_PACKET_IN2. */
  | {
      readonly type: 'controller';
      readonly userdata?: Uint8Array;
      readonly maxLen?: number;
      readonly reason?: number;
      readonly controllerId?: number;
      readonly meter?: number;
      readonly pause?: boolean;
    }
  /** An action that the tables do not know, unchanged, header included. */
  | { readonly type: 'raw'; readonly bytes: Uint8Array };

export interface Learn {
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly priority: number;
  readonly cookie: bigint;
  readonly flags: number;
  readonly table: number;
  readonly finIdleTimeout: number;
  readonly finHardTimeout: number;
  readonly specs: readonly LearnSpec[];
}

/** One flow_mod_spec of NXAST_LEARN. */
export type LearnSpec =
  | {
      readonly kind: 'match' | 'load';
      readonly from: Subfield | { readonly value: bigint };
      readonly to: Subfield;
    }
  | { readonly kind: 'output'; readonly from: Subfield };

/** The body of a flow: actions (one Apply-Actions instruction), then perhaps another table. */
export interface FlowBody {
  readonly actions: readonly Action[];
  readonly goto?: number;
  /** Instructions of other kinds than Apply-Actions and Goto-Table, unchanged. */
  readonly otherInstructions?: Uint8Array;
}

export interface FlowKey {
  readonly table: number;
  readonly priority: number;
  readonly match: Match;
}

export interface Flow extends FlowKey, FlowBody {
  readonly cookie: bigint;
}

/** A flow as the switch reports it (OFPMP_FLOW_DESC). */
export interface FlowStats extends Flow {
  readonly packets: bigint;
  readonly bytes: bigint;
  /** Seconds. */
  readonly duration: number;
  /** Seconds since its last packet, or since the flow was added if it had none. */
  readonly idle: number;
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  /** Match TLVs that the field table does not know, unchanged. */
  readonly unknownMatch?: Uint8Array;
}
