/**
 * Quality of service: how much a port may send and be sent, and how what it sends is marked. Behind the sender's
 * security, so that what is refused does not use up its share; before delivery on the receiver's side.
 *
 * A flow names one meter, and not inside a clone: of more, Open vSwitch knows only the first as the meter's user, so
 * that a deleted meter would leave flows that measure by nothing, and its own tools refuse to read such flows. So
 * bandwidth and packets have a table each.
 *
 * A meter stops a packet for all that comes behind it, the other receivers of a flood included. So a receiver's
 * meters work on a copy. A clone that only resubmits is undone into its actions by the switch; one with a truncated
 * output is not. That output goes to the controller, where the switch does not truncate and therefore skips it. For
 * the last or only receiver the switch leaves the copy out by itself.
 */
import { type Action, ports } from '../../openflow/index.ts';
import type { PortId } from '../../policy/world.ts';
import { type Draft, flow } from '../draft.ts';
import { sentBy, sentTo } from '../local-port.ts';
import { ipv4, ipv6 } from '../matches.ts';
import type { Budget, BudgetKind, PortQos } from '../qos.ts';
import { tables } from '../tables.ts';

/** What an output that truncates keeps at least: an Ethernet header. */
const leastTruncation = 14;

const apart = (table: 'ingress_bandwidth' | 'ingress_packets'): Action => ({
  type: 'clone',
  actions: [
    { type: 'output_trunc', port: ports.controller, maxLen: leastTruncation },
    { type: 'resubmit', table: tables[table].id },
  ],
});

const meterAction = ({ meter }: Budget): Action => ({ type: 'meter', meter });
const markAction = (dscp: number): Action => ({ type: 'set_field', field: 'ip_dscp', value: dscp });

const budgetOf = (qos: PortQos, direction: Budget['direction'], kind: BudgetKind): Budget | undefined =>
  qos.budgets.find((budget) => budget.direction === direction && budget.kind === kind);

/** Bandwidth and marks, then packets. */
function egressFlows(qos: PortQos, port: PortId): Draft[] {
  const bandwidth = budgetOf(qos, 'egress', 'bandwidth');
  const packets = budgetOf(qos, 'egress', 'packets');
  const from = sentBy(qos);
  const why = { reason: 'limit', port };
  const measured = bandwidth === undefined ? [] : [meterAction(bandwidth)];
  const goto = packets === undefined ? 'l2' : 'egress_packets';
  const drafts: Draft[] = [];
  if (bandwidth !== undefined || packets !== undefined)
    drafts.push(flow('egress_qos', 100, from, { actions: measured, goto }, why));
  if (packets !== undefined)
    drafts.push(flow('egress_packets', 100, from, { actions: [meterAction(packets)], goto: 'l2' }, why));
  const { dscp } = qos;
  if (dscp === null) return drafts;
  // Only IP has the field; whatever else the port sends goes by the flow above or the default.
  for (const family of [ipv4, ipv6]) {
    const actions = [...measured, markAction(dscp)];
    drafts.push(flow('egress_qos', 110, { ...from, ...family }, { actions, goto }, { reason: 'mark', port }));
  }
  return drafts;
}

function ingressFlows(qos: PortQos, port: PortId): Draft[] {
  const bandwidth = budgetOf(qos, 'ingress', 'bandwidth');
  const packets = budgetOf(qos, 'ingress', 'packets');
  if (bandwidth === undefined && packets === undefined) return [];
  const to = sentTo(qos);
  const why = { reason: 'limit', port };
  const first = bandwidth === undefined ? 'ingress_packets' : 'ingress_bandwidth';
  const drafts = [flow('ingress_qos', 100, to, { actions: [apart(first)] }, why)];
  if (bandwidth !== undefined) {
    const goto = packets === undefined ? 'dispatch' : 'ingress_packets';
    drafts.push(flow('ingress_bandwidth', 100, to, { actions: [meterAction(bandwidth)], goto }, why));
  }
  if (packets !== undefined)
    drafts.push(flow('ingress_packets', 100, to, { actions: [meterAction(packets)], goto: 'dispatch' }, why));
  return drafts;
}

export const qosFlows = (port: PortId, qos: PortQos): Draft[] => [
  ...egressFlows(qos, port),
  ...ingressFlows(qos, port),
];

export const qosDefaults: readonly Draft[] = [
  flow('egress_qos', 0, {}, { goto: 'l2' }, { reason: 'no-policy' }),
  flow('ingress_qos', 0, {}, { goto: 'dispatch' }, { reason: 'no-policy' }),
];
