/**
 * QoS flows of a port: limits and marks of what it sends, limits of what it gets. Behind the sender's security groups,
 * so that a dropped packet uses up nothing; before delivery on the receiver's side.
 *
 * # Invariants
 * A flow names one meter, and not inside a clone. Of several, Open vSwitch knows only the first as the meter's user: a
 * deleted meter would leave flows without a limit, and its own tools refuse to read such flows. So bandwidth and
 * packets have a table each.
 * A meter stops a packet for all that comes behind it, the other receivers of a flood included. So a receiver's
 * meters work on a copy. The switch undoes a clone that only resubmits; `keepApart` makes it keep the clone. For
 * the last or only receiver the switch leaves the copy out by itself.
 */

import type { PortId } from '../../../policy/world.ts';
import { type ActionOf, clone, keepApart, meter, resubmit, rewrite } from '../../actions.ts';
import { type Draft, flow } from '../../draft.ts';
import { sentBy, sentTo } from '../../local-port.ts';
import { ipv4, ipv6 } from '../../matches.ts';
import { after } from '../../positions.ts';
import type { Budget, BudgetKind, PortQos } from './budgets.ts';

const budgetOf = (qos: PortQos, direction: Budget['direction'], kind: BudgetKind): Budget | undefined =>
  qos.budgets.find((budget) => budget.direction === direction && budget.kind === kind);

/** Bandwidth and marks, then packets. */
function egressFlows(qos: PortQos, port: PortId): Draft[] {
  const bandwidth = budgetOf(qos, 'egress', 'bandwidth');
  const packets = budgetOf(qos, 'egress', 'packets');
  const from = sentBy(qos);
  const why = { reason: 'limit', port } as const;
  const limits: ActionOf<'egress_qos'>[] = bandwidth === undefined ? [] : [meter(bandwidth.meter)];
  const goto = packets === undefined ? after('egressQos') : 'egress_packets';
  const drafts: Draft[] = [];
  if (bandwidth !== undefined || packets !== undefined)
    drafts.push(flow('egress_qos', 'limit', from, { actions: limits, goto }, why));
  if (packets !== undefined) {
    const then = { actions: [meter<'egress_packets'>(packets.meter)], goto: after('egressQos') };
    drafts.push(flow('egress_packets', 'limit', from, then, why));
  }
  const { dscp } = qos;
  if (dscp === null) return drafts;
  // Only IP has the field. Other packets of the port match the flow above or the default.
  for (const family of [ipv4, ipv6]) {
    const actions = [...limits, rewrite<'egress_qos'>('ip_dscp', dscp)];
    drafts.push(
      flow('egress_qos', 'mark', { ...from, ...family }, { actions, goto }, { reason: 'mark', port }),
    );
  }
  return drafts;
}

function ingressFlows(qos: PortQos, port: PortId): Draft[] {
  const bandwidth = budgetOf(qos, 'ingress', 'bandwidth');
  const packets = budgetOf(qos, 'ingress', 'packets');
  if (bandwidth === undefined && packets === undefined) return [];
  const to = sentTo(qos);
  const why = { reason: 'limit', port } as const;
  const first = bandwidth === undefined ? 'ingress_packets' : 'ingress_bandwidth';
  const copied = clone<'ingress_qos'>([keepApart(), resubmit(first)]);
  const drafts = [flow('ingress_qos', 'limit', to, { actions: [copied] }, why)];
  if (bandwidth !== undefined) {
    const goto = packets === undefined ? after('ingressQos') : 'ingress_packets';
    const actions = [meter<'ingress_bandwidth'>(bandwidth.meter)];
    drafts.push(flow('ingress_bandwidth', 'limit', to, { actions, goto }, why));
  }
  if (packets !== undefined) {
    const then = { actions: [meter<'ingress_packets'>(packets.meter)], goto: after('ingressQos') };
    drafts.push(flow('ingress_packets', 'limit', to, then, why));
  }
  return drafts;
}

export const qosFlows = (port: PortId, qos: PortQos): Draft[] => [
  ...egressFlows(qos, port),
  ...ingressFlows(qos, port),
];

export const qosDefaults: readonly Draft[] = [
  flow('egress_qos', 'none', {}, { goto: after('egressQos') }, { reason: 'no-policy' }),
  flow('ingress_qos', 'none', {}, { goto: after('ingressQos') }, { reason: 'no-policy' }),
];
