/** Hashes of names: the same in every process and on every machine. Not for secrets. */
export function hash32(text: string, seed: number): number {
  let h = seed;
  for (let i = 0; i < text.length; i++) {
    h = Math.imul(h ^ text.charCodeAt(i), 0x85ebca6b);
    h = (h << 13) | (h >>> 19);
  }
  h = Math.imul(h ^ (h >>> 16), 0xc2b2ae35);
  return (h ^ (h >>> 15)) >>> 0;
}

/** 64 bits, for cookies: wide enough that nobody has to handle collisions. */
export function hash64(text: string): bigint {
  return (BigInt(hash32(text, 0x2545f491)) << 32n) | BigInt(hash32(text, 0x9e3779b9));
}

/** Both ends belong to the range. */
export interface NumberRange {
  readonly lowest: number;
  readonly highest: number;
}

const sizeOf = ({ lowest, highest }: NumberRange): number => highest - lowest + 1;

/** The first number to try for a name. Releases must not change it, because held connections carry it. */
export function preferredNumber(name: string, range: NumberRange): number {
  const hash = hash32(name, 0x9747b28c);
  const { lowest, highest } = range;
  return hash >= lowest && hash <= highest ? hash : lowest + (hash % sizeOf(range));
}

/** All numbers of the range: the preferred one, those above it, then those from the lowest on. */
export function* candidateNumbers(name: string, range: NumberRange): Generator<number> {
  const first = preferredNumber(name, range);
  for (let at = first; at <= range.highest; at++) yield at;
  for (let at = range.lowest; at < first; at++) yield at;
}
