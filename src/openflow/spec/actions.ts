/**
 * Numbers of the actions: OpenFlow 1.5's own and Nicira's (as experimenter actions), with their properties
 * and flags. Sources: ovs-actions(7) and the switch's own encoding under OpenFlow 1.5.
 */
export const actionTypes = {
  output: 0,
  push_vlan: 17,
  pop_vlan: 18,
  push_mpls: 19,
  pop_mpls: 20,
  group: 22,
  dec_ttl: 24,
  set_field: 25,
  copy_field: 28,
  meter: 29,
  experimenter: 0xffff,
} as const;

/** Experimenter id of Nicira's messages and actions. */
export const nicira = 0x00002320;

export const niciraActions = {
  resubmit: 1,
  note: 8,
  resubmit_table: 14,
  learn: 16,
  controller: 20,
  conjunction: 34,
  ct: 35,
  controller2: 37,
  output_trunc: 39,
  clone: 42,
  ct_clear: 43,
  check_pkt_larger: 49,
} as const;

export const controllerProperties = {
  maxLen: 0,
  controllerId: 1,
  reason: 2,
  userdata: 3,
  pause: 4,
  meter: 5,
} as const;

export const ctFlags = { commit: 1, force: 2 } as const;
/** recirc_table of a ct action that does not recirculate. */
export const noRecirculation = 0xff;
/** OpenFlow 1.0's IN_PORT: a resubmit with it keeps the port. */
export const sameInPort = 0xfff8;

/** A learn spec's header: bits 0-10 width, 11-12 destination, 13 immediate source. */
export const learnSpec = {
  widthMask: 0x7ff,
  immediate: 0x2000,
  match: 0x0000,
  load: 0x0800,
  output: 0x1000,
} as const;
export const learnFlags = { sendFlowRemoved: 1, deleteLearned: 2 } as const;
