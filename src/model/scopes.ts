/**
 * What readers can follow by itself in a store of many hosts: records by their kind and first id (a network's ports, a
 * group's rules, one network), or a whole kind that every host follows. Of the marks, agents follow those of single ports'
 * networks; of the notes, their own life and the target of syncs. Servers alone follow all others, with everything.
 *
 * Invariant: all processes on a store agree on it, since a writer stamps what a reader waits for.
 */
import { allKinds, keys } from './keys.ts';

const followedWhole: ReadonlySet<string> = new Set([
  keys.ask.layout,
  keys.bridge.layout,
  keys.syncTarget.layout,
]);
const followedSingly: ReadonlySet<string> = new Set([
  keys.portNetwork.layout,
  keys.host.layout,
  keys.life.layout,
]);

const depths = new Map(
  allKinds.map(({ layout, holds }) => {
    const depth = followedWhole.has(layout) ? 1 : holds === 'record' || followedSingly.has(layout) ? 2 : 0;
    return [layout.split('/', 1)[0] ?? '', depth] as const;
  }),
);

/** How many parts of a key with this first part name what is followed by itself; 0 for none. */
export const scopeDepth = (firstPart: string): number => depths.get(firstPart) ?? 0;
