/** Flow-mods from flows: what an applier sends to add a flow, or to take exactly one away. */
import type { Flow, FlowKey } from './flow.ts';
import type { FlowMod } from './message.ts';

export const flowMod = {
  /**
   * Adds the flow, or replaces the one with the same table, priority and match. Open vSwitch then takes that one's
   * counters over unless `flags` say otherwise.
   */
  add: (flow: Flow, flags = 0): FlowMod => ({
    type: 'flow_mod',
    command: 'add',
    ...flow,
    ...(flags === 0 ? {} : { flags }),
  }),
  /** Replaces the actions of exactly this flow and keeps its counters and its cookie; does nothing when absent. */
  modify: (flow: Flow): FlowMod => ({ type: 'flow_mod', command: 'modify_strict', ...flow }),
  /** Deletes exactly this flow. */
  remove: ({ table, priority, match }: FlowKey): FlowMod => ({
    type: 'flow_mod',
    command: 'delete_strict',
    table,
    priority,
    match,
    cookie: 0n,
    actions: [],
  }),
} as const;
