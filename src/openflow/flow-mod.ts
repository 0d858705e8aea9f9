/** Flow-mods from flows: what an applier sends to add a flow, or to take exactly one away. */
import type { Flow, FlowKey } from './flow.ts';
import type { FlowMod } from './message.ts';
import { flowFlags } from './spec/numbers.ts';

export const flowMod = {
  /**
   * Adds the flow, or replaces the one with the same table, priority and match, whose counters Open vSwitch then
   * hands on.
   */
  add: (flow: Flow): FlowMod => ({ type: 'flow_mod', command: 'add', ...flow }),
  /** The same, but counters begin at zero, and the switch says when the flow has gone, and what it had counted. */
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
