/**
 * IGMP of a guarded port. The switch does not see its types, so it is told apart by where it goes: queries go to all
 * hosts, or to one; reports never do. Multicast routers alone speak to all snoopers (RFC 4286). A query about one
 * group goes to that group, like a report on it, and is left to the security groups.
 *
 * The destination of IGMP is un-wildcarded whole (see whole.ts).
 */
import { type Draft, drop, flow } from '../draft.ts';
import { type LocalPort, sentBy } from '../local-port.ts';
import { igmp, multicast4 } from '../matches.ts';
import { wholeField } from '../whole.ts';

const allHosts = 0xe0000001;
const allSnoopers = 0xe000006a;

export function guardIgmp(local: LocalPort): Draft[] {
  const { port } = local;
  const from = { ...igmp, ...sentBy(local) };
  const never = (priority: number, ip_dst: number, reason: string): Draft =>
    drop('guard_igmp', priority, { ...from, ip_dst }, reason, 'egress', port.id);
  return [
    never(200, allHosts, 'igmp-query'),
    never(200, allSnoopers, 'router-message'),
    drop('guard_igmp', 1, from, 'igmp-query', 'egress', port.id),
  ];
}

export const guardIgmpDefaults: readonly Draft[] = [
  flow('guard_type', 105, igmp, { actions: [wholeField('ip_dst')], goto: 'guard_igmp' }, { reason: 'igmp' }),
  flow('guard_igmp', 100, { ...igmp, ip_dst: multicast4 }, { goto: 'guard_ip' }, { reason: 'multicast' }),
];
