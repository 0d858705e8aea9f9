/**
 * The messages of an OpenFlow 1.5 session as values. A decoded message leaves out fields that have their
 * default. So decode(encode(x)) equals x when x leaves them out too. The code in codec/ encodes them.
 */
import type { Action, Flow, FlowBody, FlowKey, FlowStats, Match } from './flow.ts';
import type {
  bundleControls,
  flowCommands,
  groupCommands,
  groupTypes,
  meterCommands,
  monitorCommands,
  portReasons,
  roles,
  tableCommands,
} from './spec/numbers.ts';

export interface FlowMod extends FlowKey, FlowBody {
  readonly type: 'flow_mod';
  readonly command: keyof typeof flowCommands;
  readonly cookie: bigint;
  /** For modify and delete: only flows whose cookie is equal in these bits. */
  readonly cookieMask?: bigint;
  /** Seconds. */
  readonly idleTimeout?: number;
  readonly hardTimeout?: number;
  readonly flags?: number;
  readonly importance?: number;
  readonly outPort?: number;
  readonly outGroup?: number;
  readonly unknownMatch?: Uint8Array;
}

export interface Bucket {
  readonly id: number;
  readonly actions: readonly Action[];
  readonly weight?: number;
  readonly watchPort?: number;
  readonly watchGroup?: number;
  /** Properties of other kinds, unchanged. */
  readonly otherProperties?: Uint8Array;
}

export interface GroupMod {
  readonly type: 'group_mod';
  readonly command: keyof typeof groupCommands;
  readonly group: number;
  readonly groupType: keyof typeof groupTypes;
  readonly buckets: readonly Bucket[];
  /** For insert_bucket and remove_bucket. */
  readonly bucketId?: number;
  readonly properties?: Uint8Array;
}

export type MeterBand =
  | { readonly kind: 'drop'; readonly rate: number; readonly burst: number }
  | {
      readonly kind: 'dscp_remark';
      readonly rate: number;
      readonly burst: number;
      readonly precedence: number;
    }
  | { readonly kind: 'raw'; readonly bytes: Uint8Array };

/** Cannot be in a bundle: send additions before the bundle and deletions after it. */
export interface MeterMod {
  readonly type: 'meter_mod';
  readonly command: keyof typeof meterCommands;
  readonly meter: number;
  readonly flags: number;
  readonly bands: readonly MeterBand[];
}

export interface PacketOut {
  readonly type: 'packet_out';
  /** The ingress port that the packet gets; ports.controller when it has none. */
  readonly inPort: number;
  readonly actions: readonly Action[];
  readonly data: Uint8Array;
  /** Other pipeline fields, such as registers and metadata. */
  readonly match?: Match;
  readonly bufferId?: number;
  readonly unknownMatch?: Uint8Array;
}

export interface PacketIn {
  readonly type: 'packet_in';
  readonly data: Uint8Array;
  readonly table: number;
  readonly cookie: bigint;
  readonly reason: number;
  /** in_port, registers, tunnel and conntrack fields of the packet. */
  readonly metadata: Match;
  /** Length of the whole packet when `data` is cut. */
  readonly fullLen?: number;
  readonly bufferId?: number;
  readonly userdata?: Uint8Array;
  /** Opaque: nested properties with their padding. */
  readonly continuation?: Uint8Array;
  readonly unknownMatch?: Uint8Array;
  readonly otherProperties?: Uint8Array;
}

export interface FlowRemoved extends FlowKey {
  readonly type: 'flow_removed';
  readonly cookie: bigint;
  readonly reason: number;
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly duration: number;
  readonly unknownMatch?: Uint8Array;
}

export interface PortDescription {
  readonly port: number;
  readonly mac: bigint;
  readonly name: string;
  /** OFPPC and OFPPS bits; config bit 0 is administratively down, state bit 0 is no link. */
  readonly config: number;
  readonly state: number;
  readonly properties?: Uint8Array;
}

export interface PortStatus {
  readonly type: 'port_status';
  readonly reason: keyof typeof portReasons;
  readonly port: PortDescription;
}

export interface Features {
  readonly type: 'features_reply';
  readonly datapathId: bigint;
  readonly buffers: number;
  readonly tables: number;
  readonly auxiliaryId: number;
  readonly capabilities: number;
}

export interface ErrorMessage {
  readonly type: 'error';
  readonly errorType: number;
  readonly code: number;
  /** Present when errorType is 0xffff. */
  readonly experimenter?: number;
  /** The start of the refused message. */
  readonly data: Uint8Array;
}

/**
 * One direction of a connection. A field that is left out matches anything. Addresses have 128 bits, IPv4 as
 * mapped ones.
 */
export interface CtTuple {
  readonly src?: bigint;
  readonly dst?: bigint;
  readonly srcPort?: number;
  readonly dstPort?: number;
  readonly icmpId?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
}

export interface CtFlush {
  readonly type: 'ct_flush';
  /** 0 matches any protocol. */
  readonly protocol: number;
  readonly original?: CtTuple;
  readonly reply?: CtTuple;
  readonly zone?: number;
  readonly otherProperties?: Uint8Array;
}

/** A Geneve option mapped to tun_metadata of that index; length in bytes, a multiple of four. */
export interface TlvMapping {
  readonly optionClass: number;
  readonly optionType: number;
  readonly length: number;
  readonly index: number;
}

export interface FlowFilter {
  readonly table?: number;
  readonly match?: Match;
  readonly cookie?: bigint;
  readonly cookieMask?: bigint;
  readonly outPort?: number;
  readonly outGroup?: number;
}

export interface TableFeatures {
  readonly table: number;
  readonly command: keyof typeof tableCommands;
  readonly name: string;
  readonly metadataMatch: bigint;
  readonly metadataWrite: bigint;
  readonly capabilities: number;
  readonly maxEntries: number;
  readonly properties?: Uint8Array;
}

export type MultipartRequest =
  | { readonly kind: 'desc' | 'table' | 'table_desc' | 'group_features' | 'meter_features' }
  | { readonly kind: 'flow' | 'aggregate'; readonly filter: FlowFilter }
  | { readonly kind: 'port_desc'; readonly port?: number }
  | { readonly kind: 'group' | 'group_desc'; readonly group?: number }
  | { readonly kind: 'meter' | 'meter_config'; readonly meter?: number }
  | FlowMonitor
  /** An empty list queries; a filled one sets. */
  | { readonly kind: 'table_features'; readonly tables: readonly TableFeatures[] };

/** Asks the switch to report changes of flows; the caller chooses the number `monitor`. */
export interface FlowMonitor {
  readonly kind: 'flow_monitor';
  readonly monitor: number;
  readonly command: keyof typeof monitorCommands;
  /** Bits of `monitorFlags`. */
  readonly flags: number;
  readonly table?: number;
}

/** A flow as it is after a change, or as it was before its removal. */
export interface FlowChange extends Flow {
  readonly event: 'initial' | 'added' | 'removed' | 'modified';
  readonly reason: number;
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly unknownMatch?: Uint8Array;
}

/** One update of a flow monitor. */
export type FlowUpdate =
  | FlowChange
  /** This connection made the change itself, by the message with this xid. */
  | { readonly event: 'abbreviated'; readonly xid: number }
  /** Updates are left out between `paused` and `resumed`: this connection reads too slowly. */
  | { readonly event: 'paused' }
  | { readonly event: 'resumed' };

export interface SwitchDescription {
  readonly manufacturer: string;
  readonly hardware: string;
  readonly software: string;
  readonly serial: string;
  readonly datapath: string;
}

export interface Aggregate {
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly flows: number;
}

export interface TableStats {
  readonly table: number;
  readonly active: number;
  readonly lookups: bigint;
  readonly matches: bigint;
}

export interface Counter {
  readonly packets: bigint;
  readonly bytes: bigint;
}

export interface GroupStats extends Counter {
  readonly group: number;
  readonly references: number;
  readonly duration: number;
  readonly buckets: readonly Counter[];
}

export interface GroupDescription {
  readonly group: number;
  readonly groupType: keyof typeof groupTypes;
  readonly buckets: readonly Bucket[];
  readonly properties?: Uint8Array;
}

export interface GroupFeatures {
  readonly types: number;
  readonly capabilities: number;
  readonly maxGroups: readonly number[];
  readonly actions: readonly number[];
}

export interface MeterStats extends Counter {
  readonly meter: number;
  readonly flows: number;
  readonly duration: number;
  readonly bands: readonly Counter[];
}

export interface MeterConfig {
  readonly meter: number;
  readonly flags: number;
  readonly bands: readonly MeterBand[];
}

export interface MeterFeatures {
  readonly maxMeters: number;
  readonly bandTypes: number;
  readonly capabilities: number;
  readonly maxBands: number;
  readonly maxColors: number;
}

export interface TableDescription {
  readonly table: number;
  readonly config: number;
  readonly properties?: Uint8Array;
}

/** The answer of each multipart kind, as a list (single answers are lists of one). */
export interface MultipartEntries {
  readonly desc: SwitchDescription;
  readonly flow: FlowStats;
  readonly aggregate: Aggregate;
  readonly table: TableStats;
  readonly group: GroupStats;
  readonly group_desc: GroupDescription;
  readonly group_features: GroupFeatures;
  readonly meter: MeterStats;
  readonly meter_config: MeterConfig;
  readonly meter_features: MeterFeatures;
  readonly table_features: TableFeatures;
  readonly port_desc: PortDescription;
  readonly table_desc: TableDescription;
  readonly flow_monitor: FlowUpdate;
}

export type MultipartKind = keyof MultipartEntries;

export type MultipartReply = {
  readonly [K in MultipartKind]: { readonly kind: K; readonly entries: readonly MultipartEntries[K][] };
}[MultipartKind];

export type BundleMember = FlowMod | GroupMod | PacketOut;

export type Message =
  | { readonly type: 'hello'; readonly versions: readonly number[] }
  | ErrorMessage
  | { readonly type: 'echo_request' | 'echo_reply'; readonly data: Uint8Array }
  | {
      readonly type:
        | 'features_request'
        | 'get_config_request'
        | 'barrier_request'
        | 'barrier_reply'
        | 'get_async_request';
    }
  | Features
  | { readonly type: 'get_config_reply' | 'set_config'; readonly flags: number; readonly missSendLen: number }
  | PacketIn
  | FlowRemoved
  | PortStatus
  | PacketOut
  | FlowMod
  | GroupMod
  | MeterMod
  | { readonly type: 'multipart_request'; readonly body: MultipartRequest; readonly more?: true }
  | { readonly type: 'multipart_reply'; readonly body: MultipartReply; readonly more?: true }
  | {
      readonly type: 'role_request' | 'role_reply';
      readonly role: keyof typeof roles;
      readonly generation: bigint;
    }
  /** Properties of OpenFlow 1.4's async configuration: type to mask of reasons. */
  | { readonly type: 'set_async' | 'get_async_reply'; readonly masks: ReadonlyMap<number, number> }
  | {
      readonly type: 'bundle_control';
      readonly bundle: number;
      readonly control: keyof typeof bundleControls;
      readonly flags: number;
    }
  /** The member's own xid equals the message's. */
  | {
      readonly type: 'bundle_add';
      readonly bundle: number;
      readonly flags: number;
      readonly member: BundleMember;
    }
  | { readonly type: 'set_packet_in_format'; readonly format: number }
  /** Masks of reasons for a primary or equal, and for a secondary controller. */
  | {
      readonly type: 'set_async_config';
      readonly packetIn: readonly [number, number];
      readonly portStatus: readonly [number, number];
      readonly flowRemoved: readonly [number, number];
    }
  | { readonly type: 'set_controller_id'; readonly id: number }
  | {
      readonly type: 'tlv_table_mod';
      readonly command: 'add' | 'delete' | 'clear';
      readonly mappings: readonly TlvMapping[];
    }
  | { readonly type: 'tlv_table_request' }
  | {
      readonly type: 'tlv_table_reply';
      /** Bytes that options may take together, and the number of fields that they may be mapped to. */
      readonly maxOptionSpace: number;
      readonly maxFields: number;
      readonly mappings: readonly TlvMapping[];
    }
  | { readonly type: 'ct_flush_zone'; readonly zone: number }
  | CtFlush
  /** An experimenter message that the tables do not know; `data` follows the subtype. */
  | {
      readonly type: 'experimenter';
      readonly experimenter: number;
      readonly subtype: number;
      readonly data: Uint8Array;
    }
  /** A message or multipart kind that the tables do not know; `data` follows the header. */
  | { readonly type: 'unknown'; readonly messageType: number; readonly data: Uint8Array };

/** A message with its transaction id. */
export interface Envelope {
  readonly xid: number;
  readonly message: Message;
}
