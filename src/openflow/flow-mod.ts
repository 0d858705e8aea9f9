/** Flow-mods from flows: the applier sends them to add a flow, or to delete exactly one. */
import type { Flow, FlowKey } from './flow.ts';
import type { FlowMod } from './message.ts';
import { flowFlags } from './spec/numbers.ts';

export const flowMod = {
  /**
   * Adds the flow. It replaces a flow with the same table, priority and match, and Open vSwitch keeps that
   * flow's counters.
   */
  add: (flow: Flow): FlowMod => ({ type: 'flow_mod', command: 'add', ...flow }),
  /**
   * Like `addFlow`, but counters begin at zero, and the switch reports when the flow is removed, with its
   * counters.
   */
  addCounted: (flow: Flow): FlowMod => ({
    type: 'flow_mod',
    command: 'add',
    flags: flowFlags.resetCounts | flowFlags.sendFlowRemoved,
    ...flow,
  }),
  /** Replaces the actions of exactly this flow and keeps its counters and its cookie; does nothing when absent. */
  modify: (flow: Flow): FlowMod => ({ type: 'flow_mod', command: 'modify_strict', ...flow }),
  /** Deletes exactly this flow. */
  remove: ({
    table,
    priority,
    match,
    unknownMatch,
  }: FlowKey & { readonly unknownMatch?: Uint8Array }): FlowMod => ({
    type: 'flow_mod',
    command: 'delete_strict',
    table,
    priority,
    match,
    cookie: 0n,
    actions: [],
    ...(unknownMatch === undefined ? {} : { unknownMatch }),
  }),
} as const;
