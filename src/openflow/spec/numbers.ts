/**
 * Numbers of OpenFlow 1.5: message types, multipart kinds, reserved ports, commands and flags. Values only;
 * ../message.ts has the contents of messages.
 */

/** The one version this project speaks. */
export const ofVersion = 0x06;

/** Bytes of the header that opens every message. */
export const headerLength = 8;

export const messageTypes = {
  hello: 0,
  error: 1,
  echo_request: 2,
  echo_reply: 3,
  experimenter: 4,
  features_request: 5,
  features_reply: 6,
  get_config_request: 7,
  get_config_reply: 8,
  set_config: 9,
  packet_in: 10,
  flow_removed: 11,
  port_status: 12,
  packet_out: 13,
  flow_mod: 14,
  group_mod: 15,
  multipart_request: 18,
  multipart_reply: 19,
  barrier_request: 20,
  barrier_reply: 21,
  role_request: 24,
  role_reply: 25,
  get_async_request: 26,
  get_async_reply: 27,
  set_async: 28,
  meter_mod: 29,
  bundle_control: 33,
  bundle_add: 34,
} as const;

export const multipartKinds = {
  desc: 0,
  flow: 1,
  aggregate: 2,
  table: 3,
  group: 6,
  group_desc: 7,
  group_features: 8,
  meter: 9,
  meter_config: 10,
  meter_features: 11,
  table_features: 12,
  port_desc: 13,
  table_desc: 14,
  flow_monitor: 16,
} as const;

/** Reserved port numbers. */
export const ports = {
  max: 0xffffff00,
  inPort: 0xfffffff8,
  table: 0xfffffff9,
  normal: 0xfffffffa,
  flood: 0xfffffffb,
  all: 0xfffffffc,
  controller: 0xfffffffd,
  local: 0xfffffffe,
  any: 0xffffffff,
} as const;

export const allTables = 0xff;
export const allGroups = 0xfffffffc;
export const anyGroup = 0xffffffff;
export const allMeters = 0xffffffff;
export const noBuffer = 0xffffffff;
/** max_len of an output to the controller: the whole packet. */
export const wholeLength = 0xffff;

export const flowCommands = { add: 0, modify: 1, modify_strict: 2, delete: 3, delete_strict: 4 } as const;
export const flowFlags = {
  sendFlowRemoved: 1,
  checkOverlap: 2,
  resetCounts: 4,
  noPacketCounts: 8,
  noByteCounts: 16,
} as const;

/** Events that a flow monitor reports, and their detail (OFPFMF). */
export const monitorFlags = {
  initial: 1,
  added: 2,
  removed: 4,
  modified: 8,
  instructions: 16,
  noAbbreviation: 32,
  onlyOwn: 64,
} as const;
export const monitorCommands = { add: 0, modify: 1, delete: 2 } as const;
export const flowEvents = {
  initial: 0,
  added: 1,
  removed: 2,
  modified: 3,
  abbreviated: 4,
  paused: 5,
  resumed: 6,
} as const;

export const groupCommands = {
  add: 0,
  modify: 1,
  delete: 2,
  insert_bucket: 3,
  remove_bucket: 5,
  add_or_modify: 0x8000,
} as const;
export const groupTypes = { all: 0, select: 1, indirect: 2, fast_failover: 3 } as const;
/** Bucket ids with a special meaning; `all` is in commands without a bucket. */
export const bucketIds = { first: 0xfffffffd, last: 0xfffffffe, all: 0xffffffff } as const;

export const meterCommands = { add: 0, modify: 1, delete: 2 } as const;
export const meterFlags = { kbps: 1, pktps: 2, burst: 4, stats: 8 } as const;
export const meterBands = { drop: 1, dscp_remark: 2 } as const;

export const bundleControls = {
  open_request: 0,
  open_reply: 1,
  close_request: 2,
  close_reply: 3,
  commit_request: 4,
  commit_reply: 5,
  discard_request: 6,
  discard_reply: 7,
} as const;
export const bundleFlags = { atomic: 1, ordered: 2 } as const;

export const roles = { nochange: 0, equal: 1, primary: 2, secondary: 3 } as const;
export const portReasons = { add: 0, delete: 1, modify: 2 } as const;
export const tableCommands = { replace: 0, modify: 1, enable: 2, disable: 3 } as const;

/** OFPFF and instruction numbers of flows. */
export const instructions = { goto: 1, apply: 4 } as const;

/** Statistics TLVs (OXS, class 0x8002). */
export const oxsClass = 0x8002;
export const oxsFields = { duration: 0, idleTime: 1, flowCount: 3, packets: 4, bytes: 5 } as const;

/** Kinds of packet-in reason; `action` is 1 with and without userdata. */
export const packetInReasons = {
  noMatch: 0,
  action: 1,
  invalidTtl: 2,
  actionSet: 3,
  group: 4,
  packetOut: 5,
} as const;
