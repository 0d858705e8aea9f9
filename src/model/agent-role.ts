/**
 * What the agent of one host may do in a store that many processes share: read everything, write the kinds that agents
 * write, and of these its own host's keys where the key begins with the host. The registry of keys says which.
 */
import { allKinds } from './keys.ts';

/** `isPrefix`: all keys that begin so; else the one key. */
export interface WritableKeys {
  readonly key: string;
  readonly isPrefix: boolean;
}

export function writableByAgent(host: string): readonly WritableKeys[] {
  return allKinds
    .filter(({ writer }) => writer === 'agent')
    .map(({ layout, prefix }) => {
      const names = layout.slice(prefix.length).split('/');
      if (names[0] !== ':host') return { key: prefix, isPrefix: true };
      return names.length === 1
        ? { key: `${prefix}${host}`, isPrefix: false }
        : { key: `${prefix}${host}/`, isPrefix: true };
    });
}
