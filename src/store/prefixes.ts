/** Which keys are under which prefixes. The contract says what a prefix is. Knows no store. */

export function isUnder(prefix: string, key: string): boolean {
  if (!key.startsWith(prefix)) return false;
  return key.length === prefix.length || prefix === '' || prefix.endsWith('/') || key[prefix.length] === '/';
}

/** Some prefixes. Whether a key is under one of them is found by the key's parts, however many prefixes there are. */
export class PrefixSet {
  readonly #prefixes: Set<string>;

  constructor(prefixes: Iterable<string> = []) {
    this.#prefixes = new Set(prefixes);
  }

  get all(): readonly string[] {
    return [...this.#prefixes];
  }

  has(prefix: string): boolean {
    return this.#prefixes.has(prefix);
  }

  add(prefixes: Iterable<string>): void {
    for (const prefix of prefixes) this.#prefixes.add(prefix);
  }

  delete(prefixes: Iterable<string>): void {
    for (const prefix of prefixes) this.#prefixes.delete(prefix);
  }

  covers(key: string): boolean {
    const prefixes = this.#prefixes;
    if (prefixes.has('') || prefixes.has(key)) return true;
    for (let slash = key.indexOf('/'); slash >= 0; slash = key.indexOf('/', slash + 1))
      if (prefixes.has(key.slice(0, slash)) || prefixes.has(key.slice(0, slash + 1))) return true;
    return false;
  }
}
