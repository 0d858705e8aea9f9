/**
 * Parses how hard a datapath searches its megaflows. A kernel datapath prints it with `dpctl/show`, the
 * userspace datapath with `dpif-netdev/pmd-stats-show` (ovs-dpctl(8), ovs-vswitchd(8)). Does no I/O.
 */

export interface DatapathStats {
  /** Megaflows. */
  readonly megaflows: number;
  /** Null where the datapath does not report it; a dump of the megaflows then has to be counted. */
  readonly masks: number | null;
  /** Packets that were searched among the masks, and masks tried for them, since the datapath began. */
  readonly lookups: number;
  readonly tried: number;
}

const number = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0);

/** `threads` is the userspace datapath's report on its packet threads; empty for kernel datapaths. */
export function readDatapathStats(shown: string, threads: string): DatapathStats {
  const megaflows = number(shown, /^\s*flows: (\d+)/m);
  const masks = /^\s*masks: hit:(\d+) total:(\d+)/m.exec(shown);
  if (masks !== null) {
    const lookups = number(shown, /lookups: hit:(\d+)/) + number(shown, /missed:(\d+)/);
    return { megaflows, masks: Number(masks[2]), lookups, tried: Number(masks[1]) };
  }
  let [lookups, tried] = [0, 0];
  for (const [, hits, mean] of threads.matchAll(
    /megaflow hits: (\d+)\s+avg\. subtable lookups per megaflow hit: ([\d.]+)/g,
  )) {
    lookups += Number(hits);
    tried += Math.round(Number(hits) * Number(mean));
  }
  return { megaflows, masks: null, lookups, tried };
}
