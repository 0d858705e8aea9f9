/**
 * IGMP of a guarded port. The switch does not see IGMP's types, so the guard judges by destination: queries go to all
 * hosts or to one host, and reports never do. Only multicast routers send to all snoopers (RFC 4286). A query about one
 * group goes to that group, as a report on it does; the security groups decide about both.
 *
 * `guard_type` un-wildcards the destination of IGMP whole (see whole-fields.ts).
 */
import { type Draft, drop, flow } from '../../draft.ts';
import { type LocalPort, sentBy } from '../../local-port.ts';
import { igmp, multicast4 } from '../../matches.ts';

const allHosts = 0xe0000001;
const allSnoopers = 0xe000006a;

export function guardIgmp(local: LocalPort): Draft[] {
  const { port } = local;
  const from = { ...igmp, ...sentBy(local) };
  const query = { reason: 'igmp-query', drop: 'egress', port: port.id } as const;
  return [
    drop('guard_igmp', 'forbidden', { ...from, ip_dst: allHosts }, query),
    drop('guard_igmp', 'forbidden', { ...from, ip_dst: allSnoopers }, { ...query, reason: 'router-message' }),
    drop('guard_igmp', 'other', from, query),
  ];
}

export const guardIgmpDefaults: readonly Draft[] = [
  flow('guard_igmp', 'group', { ...igmp, ip_dst: multicast4 }, { goto: 'guard_ip' }, { reason: 'multicast' }),
];
