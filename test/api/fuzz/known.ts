/** Ids that answers have told, by resource, each with its project: what later requests are about. */
import type { Random } from './random.ts';

const bogus = 'ffffffff-0000-4000-8000-00000000ffff';

export class Known {
  readonly #ids = new Map<string, Map<string, string>>();
  readonly kinds: readonly string[];
  /** Whether the thing is still there. */
  readonly #lives: (id: string) => boolean;

  constructor(kinds: readonly string[], lives: (id: string) => boolean) {
    this.kinds = kinds;
    this.#lives = lives;
    for (const kind of kinds) this.#ids.set(kind, new Map());
  }

  learn(kind: string, id: string, project: string): void {
    this.#ids.get(kind)?.set(id, project);
  }

  count(kind: string): number {
    return this.#living(kind).length;
  }

  #living(kind: string): readonly (readonly [id: string, project: string])[] {
    const ids = this.#ids.get(kind) ?? new Map<string, string>();
    for (const id of ids.keys()) if (!this.#lives(id)) ids.delete(id);
    return [...ids];
  }

  /** Mostly one of the project's own, else anybody's, else nobody's. */
  id(random: Random, kind: string, project: string): string {
    const all = this.#living(kind);
    const own = all.filter(([, owner]) => owner === project);
    if (own.length > 0 && random.chance(0.75)) return random.pick(own)[0];
    return all.length > 0 && random.chance(0.98) ? random.pick(all)[0] : bogus;
  }
}
