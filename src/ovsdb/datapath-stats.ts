/**
 * Reads how hard a datapath looks for cached decisions: what `dpctl/show` prints of a kernel datapath, and
 * `dpif-netdev/pmd-stats-show` of the userspace datapath (ovs-dpctl(8), ovs-vswitchd(8)). Does no I/O.
 */

export interface DatapathStats {
  /** Cached decisions. */
  readonly megaflows: number;
  /** Null where the datapath does not say; it has to be counted in a dump then. */
  readonly masks: number | null;
  /** Packets that were looked for among the masks, and masks tried for them, since the datapath began. */
  readonly lookups: number;
  readonly tried: number;
}

const number = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0);

/** `threads` is what the userspace datapath says of its packet threads; empty on kernels. */
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
