/** Ids from answers, by resource, each with its project: later requests refer to them. */
import type { Random } from './random.ts';

const bogus = 'ffffffff-0000-4000-8000-00000000ffff';

export class Known {
  readonly #ids = new Map<string, Map<string, string>>();
  readonly #focus = new Map<string, string>();
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

  /** One record of each kind that all requests refer to for a while; null ends that. */
  focus(random: Random | null): void {
    this.#focus.clear();
    if (random === null) return;
    for (const kind of this.kinds) {
      const all = this.#living(kind);
      if (all.length > 0) this.#focus.set(kind, random.pick(all)[0]);
    }
  }

  /** What is in focus; `to` sets it. */
  focused(kind: string, to?: string): string | undefined {
    if (to !== undefined) this.#focus.set(kind, to);
    return this.#focus.get(kind);
  }

  /** Mostly one of the project's own, otherwise any project's, otherwise an unknown one. */
  id(random: Random, kind: string, project: string): string {
    const focused = this.#focus.get(kind);
    if (focused !== undefined && random.chance(0.8)) return focused;
    const all = this.#living(kind);
    const own = all.filter(([, owner]) => owner === project);
    if (own.length > 0 && random.chance(0.75)) return random.pick(own)[0];
    return all.length > 0 && random.chance(0.98) ? random.pick(all)[0] : bogus;
  }
}
