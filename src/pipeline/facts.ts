/** All facts, which are the inputs of the graph that the agent sets. Features declare them; this file only joins them. */
import type { Dataflow } from '../base/dataflow.ts';
import { declareSwitchFacts, type SwitchFacts } from './abilities.ts';
import { type ClassifyFacts, declareClassifyFacts } from './features/classify/facts.ts';
import { type DhcpFacts, declareDhcpFacts } from './features/dhcp/facts.ts';
import { declareGuardFacts, type GuardFacts } from './features/guards/facts.ts';
import { declareMoveFacts, type MoveFacts } from './features/moves/facts.ts';
import { declareOwnerFacts, type OwnerFacts } from './features/owners/facts.ts';
import { declarePhysicalFacts, type PhysicalFacts } from './features/physical/facts.ts';
import { declareQosFacts, type QosFacts } from './features/qos/facts.ts';
import { declareRoutingFacts, type RoutingFacts } from './features/routing/facts.ts';
import { declareGroupFacts, type GroupFacts } from './features/security-groups/facts.ts';
import { declareTunnelFacts, type TunnelFacts } from './features/tunnels/facts.ts';

export interface Facts
  extends SwitchFacts,
    ClassifyFacts,
    GuardFacts,
    OwnerFacts,
    GroupFacts,
    QosFacts,
    TunnelFacts,
    DhcpFacts,
    RoutingFacts,
    PhysicalFacts,
    MoveFacts {}

export const declareFacts = (graph: Dataflow): Facts => ({
  ...declareSwitchFacts(graph),
  ...declareClassifyFacts(graph),
  ...declareGuardFacts(graph),
  ...declareOwnerFacts(graph),
  ...declareGroupFacts(graph),
  ...declareQosFacts(graph),
  ...declareTunnelFacts(graph),
  ...declareDhcpFacts(graph),
  ...declareRoutingFacts(graph),
  ...declarePhysicalFacts(graph),
  ...declareMoveFacts(graph),
});
