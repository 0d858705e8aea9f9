/**
 * Reads the switch's verdict flows as what they count: rule, port, and whether a packet began a connection. The
 * flow's cookie names its provenance; what this process never wanted is known by what an earlier one recorded.
 */

import { hash64 } from '../../base/hash.ts';
import { canonicalKey, type FlowKey, type FlowStats, type Session } from '../../openflow/index.ts';
import { type DesiredFlows, verdictCookies } from '../../pipeline/desired.ts';
import type { Counted, CounterReading } from './accounts.ts';

/** Above this many cookies the switch lists all verdict flows at once; below it looks each up in an index. */
const maxCookies = 256;

type Known = Counted & { readonly flow: string };
type Found = FlowKey & { readonly cookie: bigint };

/** A flow's name in records: what it counts, then a mark of its match. */
const nameOf = ({ port, opens }: Omit<Counted, 'rule'>, mark: string): string =>
  `${opens ? '+' : '-'}${port}/${mark}`;

function knownBy(rule: string, flow: string): readonly [mark: string, known: Known] | null {
  const [, sign, port, mark] = /^([+-])([^/]*)\/(\w+)$/.exec(flow) ?? [];
  if (port === undefined || mark === undefined) return null;
  return [mark, { rule, port, opens: sign === '+', flow }];
}

/** What reading counters needs of the session with the switch. */
export type CountingSession = Pick<Session, 'dumpFlows' | 'state'>;

export interface FlowReadings {
  /** How many flows were looked at, those without a packet too. */
  readonly flows: number;
  readonly readings: readonly CounterReading[];
}

export class HitFlows {
  /** Of an earlier process, by mark. */
  readonly #left = new Map<string, Known>();

  /** A flow that an earlier process recorded; a name that it cannot have made is of no use. */
  recall(rule: string, flow: string): void {
    const recalled = knownBy(rule, flow);
    if (recalled !== null) this.#left.set(...recalled);
  }

  /** What a flow on the switch counts; null when nobody knows. */
  counted({ table, priority, match, cookie }: Found, desired: DesiredFlows): Known | null {
    const mark = hash64(canonicalKey(table, priority, match)).toString(36);
    const why = desired.provenanceOf(cookie);
    if (why?.rule === undefined) return this.#left.get(mark) ?? null;
    const { rule, port = '', opens = false } = why;
    return { rule, port, opens, flow: nameOf({ port, opens }, mark) };
  }

  /**
   * Readings of the verdict flows that have had a packet: of all, or of those that have one of some cookies and
   * perhaps of others. Most rules have none most of the time, and to know which flow that is costs more than reading.
   */
  async read(
    session: CountingSession,
    desired: DesiredFlows,
    cookies?: ReadonlySet<bigint>,
  ): Promise<FlowReadings> {
    const flows =
      cookies === undefined || cookies.size > maxCookies
        ? await session.dumpFlows(verdictCookies)
        : (await Promise.all([...cookies].map((cookie) => session.dumpFlows({ cookie })))).flat();
    const readings: CounterReading[] = [];
    for (const stats of flows) {
      if (stats.packets === 0n) continue;
      const known = this.counted(stats, desired);
      if (known !== null) readings.push({ ...known, ...countersOf(stats) });
    }
    return { flows: flows.length, readings };
  }
}

const countersOf = ({ packets, bytes, duration, idle }: FlowStats) => ({
  packets: Number(packets),
  bytes: Number(bytes),
  age: duration,
  idle,
});
