/**
 * Numbers of Nicira's experimenter messages (subtypes of experimenter 0x2320) and of the TLVs in them.
 */
export const niciraMessages = {
  set_packet_in_format: 16,
  set_async_config: 19,
  set_controller_id: 20,
  tlv_table_mod: 24,
  tlv_table_request: 25,
  tlv_table_reply: 26,
  ct_flush_zone: 29,
  packet_in2: 30,
  ct_flush: 32,
} as const;

/** Argument of set_packet_in_format; `v2` is NXT_PACKET_IN2. */
export const packetInFormats = { standard: 0, v1: 1, v2: 2 } as const;

export const packetIn2Properties = {
  packet: 0,
  fullLen: 1,
  bufferId: 2,
  table: 3,
  cookie: 4,
  reason: 5,
  metadata: 6,
  userdata: 7,
  continuation: 8,
} as const;

export const ctFlushProperties = { original: 0, reply: 1, zone: 2 } as const;
export const ctTupleProperties = {
  src: 0,
  dst: 1,
  srcPort: 2,
  dstPort: 3,
  icmpId: 4,
  icmpType: 5,
  icmpCode: 6,
} as const;

export const tlvCommands = { add: 0, delete: 1, clear: 2 } as const;
