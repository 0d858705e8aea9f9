/**
 * Small numbers for names, to stand in registers. An id is a hash of its name, so it is the same after a restart
 * without being stored anywhere; a collision takes the next free id. Zero is never given out.
 */
function hash32(text: string, seed: number): number {
  let h = seed;
  for (let i = 0; i < text.length; i++) {
    h = Math.imul(h ^ text.charCodeAt(i), 0x85ebca6b);
    h = (h << 13) | (h >>> 19);
  }
  h = Math.imul(h ^ (h >>> 16), 0xc2b2ae35);
  return (h ^ (h >>> 15)) >>> 0;
}

/** 64 bits of a text, for cookies: wide enough that collisions need no care. */
export function hash64(text: string): bigint {
  return (BigInt(hash32(text, 0x2545f491)) << 32n) | BigInt(hash32(text, 0x9e3779b9));
}

/** The id that a name is given unless another one has it. */
export const preferredId = (name: string): number => hash32(name, 0x9747b28c);

/** Ids are in [lowest, highest]. */
export interface IdRange {
  readonly lowest: number;
  readonly highest: number;
}

export class IdSpace {
  readonly #range: IdRange;
  readonly #ids = new Map<string, number>();
  readonly #names = new Map<number, string>();

  constructor(range: IdRange = { lowest: 1, highest: 0xffff_fffe }) {
    this.#range = range;
  }

  /** The name's id, in the range. */
  of(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const { lowest, highest } = this.#range;
    let id = preferredId(name);
    if (id < lowest || id > highest) id = lowest + (id % (highest - lowest + 1));
    while (this.#names.has(id)) id = id === highest ? lowest : id + 1;
    this.#ids.set(name, id);
    this.#names.set(id, name);
    return id;
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
