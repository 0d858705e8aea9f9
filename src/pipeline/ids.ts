/**
 * Numbers for names that mean something on this host only: sets, classes, rules, meters. A number is a hash of its name,
 * so it is the same after a restart without being stored. After a collision the name takes the next free number.
 */
import { bug } from '../base/errors.ts';
import { candidateNumbers, type NumberRange } from '../base/hash.ts';

export class IdSpace {
  readonly #range: NumberRange;
  readonly #ids = new Map<string, number>();
  readonly #names = new Map<number, string>();

  constructor(range: NumberRange = { lowest: 1, highest: 0xffff_fffe }) {
    this.#range = range;
  }

  /** The name's id, in the range. */
  of(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    for (const id of candidateNumbers(name, this.#range)) {
      if (this.#names.has(id)) continue;
      this.#ids.set(name, id);
      this.#names.set(id, name);
      return id;
    }
    return bug(`no number is left for ${name}`);
  }

  nameOf(id: number): string | undefined {
    return this.#names.get(id);
  }

  /** Names that have an id. */
  get size(): number {
    return this.#ids.size;
  }

  /** Forgets a name that nothing refers to any more. */
  release(name: string): void {
    const id = this.#ids.get(name);
    if (id === undefined) return;
    this.#ids.delete(name);
    this.#names.delete(id);
  }
}

/** The register value of a set or class; the empty name is 0. */
export const idOrZero = (space: IdSpace, name: string): number => (name === '' ? 0 : space.of(name));
