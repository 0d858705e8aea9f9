/**
 * Faults of switches that the agent has to work around, by what the switch says it is. Does no I/O.
 */

/** The first releases of their series that are right; all later series are. */
const mended: readonly (readonly [major: number, minor: number, patch: number])[] = [
  [2, 17, 8],
  [3, 0, 5],
  [3, 1, 3],
];
const rightSince = [3, 2] as const;

/**
 * Whether the switch may change another megaflow than it means. The userspace datapath of some versions finds a megaflow
 * by a packet instead of by its id. Where two overlap it finds the wrong one. The right one then keeps its outdated
 * decision for as long as packets meet it.
 * `version` is the switch's answer to `version`; one that cannot be read counts as faulty.
 */
export function mixesUpDecisions(version: string, datapathType: string | undefined): boolean {
  if (datapathType !== 'netdev') return false;
  const [, ...numbers] = /\(Open vSwitch\) (\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  const [major, minor, patch] = numbers.map(Number);
  if (major === undefined || minor === undefined || patch === undefined) return true;
  if (major > rightSince[0] || (major === rightSince[0] && minor >= rightSince[1])) return false;
  const series = mended.find(([each, lesser]) => each === major && lesser === minor);
  return series === undefined || patch < series[2];
}
