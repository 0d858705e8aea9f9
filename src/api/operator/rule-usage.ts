/**
 * What security-group rules have let in, summed over hosts and ports from their records, and since when that has
 * been watched. Reads the view's state only.
 */
import type { HitCount, SecurityGroupRuleRecord } from '../../model/records.ts';
import type { State } from '../state/state.ts';

export interface Usage {
  readonly packets: number;
  readonly bytes: number;
  readonly connections: number;
  /** Milliseconds since 1970; null while never. */
  readonly first: number | null;
  readonly last: number | null;
}

export interface PortUsage extends Usage {
  /** Null for ports that are gone or not told apart. */
  readonly port: string | null;
  readonly host: string;
}

/** How far a rule's counts reach back; milliseconds since 1970. */
export interface HitWatch {
  /** Since when every host that the rule concerns has counted; null when one of them does not. */
  readonly since: number | null;
  /** When such a host last lost counts. */
  readonly reset: number | null;
}

const unused: Usage = { packets: 0, bytes: 0, connections: 0, first: null, last: null };
const earlier = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.min(a, b);
/** The later of two times; null is no time. */
export const later = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.max(a, b);

const plus = (sum: Usage, more: Usage | HitCount): Usage => ({
  packets: sum.packets + more.packets,
  bytes: sum.bytes + more.bytes,
  connections: sum.connections + more.connections,
  first: earlier(sum.first, more.first),
  last: later(sum.last, more.last),
});

export function portUsages(state: State, rule: string): PortUsage[] {
  return [...state.hits.of(rule)].flatMap(([host, ports]) =>
    [...ports].map(([port, count]) => ({ ...plus(unused, count), port: port === '' ? null : port, host })),
  );
}

export const usageOf = (state: State, rule: string): Usage =>
  portUsages(state, rule).reduce<Usage>(plus, unused);

/** The hosts that hold, or lost, ports of a group. */
export function hostsOfGroup(state: State, group: string): Set<string> {
  const hosts = new Set<string>();
  for (const { record } of state.ports.by('group', group)) {
    const binding = state.bindings.get(record.id);
    if (binding !== undefined) hosts.add(binding.host);
  }
  return hosts;
}

/** `hosts` are those of the rule's group. A rule that concerns no host is watched by all of them. */
export function watchOf(state: State, rule: SecurityGroupRuleRecord, hosts: ReadonlySet<string>): HitWatch {
  const { watches } = state.hits;
  const concerned = new Set([...hosts, ...state.hits.of(rule.id).keys()]);
  if (concerned.size === 0) for (const host of watches.keys()) concerned.add(host);
  const records = [...concerned].map((host) => watches.get(host));
  let reset: number | null = null;
  let since: number | null = records.length === 0 ? null : Date.parse(rule.created_at);
  for (const record of records) {
    since = record === undefined || since === null ? null : Math.max(since, record.since);
    reset = later(reset, record?.reset ?? null);
  }
  return { since, reset };
}
