/**
 * Incremental derivation: keyed relations, each a pure function of relations declared before it.
 *
 * Idea: a caller sets inputs. `map` derives one value a key. `index` spreads each source entry over other
 * keys and gathers the entries by those keys. A derivation reads other relations through `read`, which
 * records the dependency. A change of an entry derives again exactly the entries that depended on it.
 * Propagation stops at a value that comes out equal.
 *
 * Invariants: relations propagate in the order of declaration, so one pass is enough and cycles are
 * impossible. Readers treat values as immutable. An index's gathered map is live and must not be kept.
 *
 * Owns no domain knowledge and does no I/O.
 */
export type Key = string | number;

/** Reads another relation's entry. The running derivation then depends on it, and on its absence. */
export type Read = <K extends Key, V>(relation: Relation<K, V>, key: K) => V | undefined;

export interface Relation<K extends Key, V> {
  readonly name: string;
  get(key: K): V | undefined;
  entries(): IterableIterator<[K, V]>;
  readonly size: number;
}

type Equal<V> = (a: V, b: V) => boolean;

/** One (node, key) whose derivation read something. */
interface Reader {
  readonly node: Derived;
  readonly key: Key;
}

/** The derivations that read entries of one relation. They differ in the types of their keys, so it knows only `Key`. */
class Readers {
  readonly name: string;
  readonly #readers = new Map<Key, Map<Derived, Set<Key>>>();

  constructor(name: string) {
    this.name = name;
  }

  add(key: Key, { node, key: readerKey }: Reader): void {
    let byNode = this.#readers.get(key);
    if (byNode === undefined) this.#readers.set(key, (byNode = new Map()));
    const keys = byNode.get(node);
    if (keys === undefined) byNode.set(node, new Set([readerKey]));
    else keys.add(readerKey);
  }

  drop(key: Key, { node, key: readerKey }: Reader): void {
    const byNode = this.#readers.get(key);
    const keys = byNode?.get(node);
    if (byNode === undefined || keys === undefined) return;
    keys.delete(readerKey);
    if (keys.size === 0) byNode.delete(node);
    if (byNode.size === 0) this.#readers.delete(key);
  }

  markDirty(key: Key): void {
    for (const [node, keys] of this.#readers.get(key) ?? [])
      for (const readerKey of keys) node.markDirty(readerKey);
  }
}

abstract class Node<K extends Key, V> implements Relation<K, V> {
  readonly name: string;
  protected readonly values = new Map<K, V>();
  readonly followers: Derived[] = [];
  readonly readers: Readers;

  constructor(name: string) {
    this.name = name;
    this.readers = new Readers(name);
  }

  get(key: K): V | undefined {
    return this.values.get(key);
  }
  entries(): IterableIterator<[K, V]> {
    return this.values.entries();
  }
  get size(): number {
    return this.values.size;
  }

  protected announce(key: K): void {
    for (const follower of this.followers) follower.markDirty(key);
    this.readers.markDirty(key);
  }
}

/** How a relation depends on others: derived from one, and what its derivations read beside it until now. */
export interface Edge {
  readonly name: string;
  readonly source: string;
  readonly reads: ReadonlySet<string>;
}

/** Facts from outside. */
export class Input<K extends Key, V> extends Node<K, V> {
  readonly #equal: Equal<V>;

  constructor(name: string, equal: Equal<V>) {
    super(name);
    this.#equal = equal;
  }

  set(key: K, value: V): void {
    const old = this.values.get(key);
    if (old !== undefined && this.#equal(old, value)) return;
    this.values.set(key, value);
    this.announce(key);
  }

  delete(key: K): void {
    if (this.values.delete(key)) this.announce(key);
  }
}

interface Derived {
  readonly name: string;
  readonly edge: Edge;
  markDirty(key: Key): void;
  recompute(): number;
}

abstract class DerivedNode<S extends Key, SV, K extends Key, V> extends Node<K, V> implements Derived {
  protected readonly source: Relation<S, SV>;
  #dirty = new Set<S>();
  readonly #reads = new Map<S, [Readers, Key][]>();

  constructor(name: string, source: Node<S, SV>) {
    super(name);
    this.source = source;
    source.followers.push(this);
    for (const [key] of source.entries()) this.#dirty.add(key);
  }

  markDirty(key: Key): void {
    this.#dirty.add(key as S);
  }

  get edge(): Edge {
    const reads = new Set([...this.#reads.values()].flatMap((read) => read.map(([readers]) => readers.name)));
    return { name: this.name, source: this.source.name, reads };
  }

  /** Derives every dirty entry again; returns how many derivations ran. */
  recompute(): number {
    if (this.#dirty.size === 0) return 0;
    const dirty = this.#dirty;
    this.#dirty = new Set();
    for (const key of dirty) this.#derive(key);
    this.finish();
    return dirty.size;
  }

  #derive(key: S): void {
    const reader: Reader = { node: this, key };
    for (const [readers, read] of this.#reads.get(key) ?? []) readers.drop(read, reader);
    const value = this.source.get(key);
    if (value === undefined) {
      this.#reads.delete(key);
      this.update(key, undefined, neverRead);
      return;
    }
    const reads: [Readers, Key][] = [];
    this.update(key, value, <K extends Key, V>(relation: Relation<K, V>, readKey: K) => {
      const { readers } = relation as Node<K, V>;
      readers.add(readKey, reader);
      reads.push([readers, readKey]);
      return relation.get(readKey);
    });
    if (reads.length === 0) this.#reads.delete(key);
    else this.#reads.set(key, reads);
  }

  protected abstract update(key: S, value: SV | undefined, read: Read): void;
  protected finish(): void {}
}

const neverRead: Read = () => undefined;

interface MapOptions<V> {
  readonly equal?: Equal<V>;
}

class MapNode<K extends Key, SV, V> extends DerivedNode<K, SV, K, V> {
  readonly #fn: (key: K, value: SV, read: Read) => V | undefined;
  readonly #options: MapOptions<V>;

  constructor(
    name: string,
    source: Node<K, SV>,
    fn: (key: K, value: SV, read: Read) => V | undefined,
    options: MapOptions<V>,
  ) {
    super(name, source);
    this.#fn = fn;
    this.#options = options;
  }

  protected update(key: K, value: SV | undefined, read: Read): void {
    const old = this.values.get(key);
    const next = value === undefined ? undefined : this.#fn(key, value, read);
    if (old === undefined && next === undefined) return;
    if (old !== undefined && next !== undefined && (this.#options.equal ?? Object.is)(old, next)) return;
    if (next === undefined) this.values.delete(key);
    else this.values.set(key, next);
    this.announce(key);
  }
}

class IndexNode<S extends Key, SV, K extends Key, V> extends DerivedNode<S, SV, K, ReadonlyMap<S, V>> {
  readonly #fn: (key: S, value: SV, read: Read) => Iterable<readonly [K, V]>;
  readonly #equal: Equal<V>;
  readonly #spread = new Map<S, Map<K, V>>();
  readonly #changed = new Set<K>();

  constructor(
    name: string,
    source: Node<S, SV>,
    fn: (key: S, value: SV, read: Read) => Iterable<readonly [K, V]>,
    equal: Equal<V>,
  ) {
    super(name, source);
    this.#fn = fn;
    this.#equal = equal;
  }

  protected update(key: S, value: SV | undefined, read: Read): void {
    const old = this.#spread.get(key);
    const next = value === undefined ? new Map<K, V>() : new Map(this.#fn(key, value, read));
    for (const target of old?.keys() ?? []) if (!next.has(target)) this.#remove(target, key);
    for (const [target, item] of next) {
      const before = old?.get(target);
      if (before === undefined || !this.#equal(before, item)) this.#put(target, key, item);
    }
    if (next.size === 0) this.#spread.delete(key);
    else this.#spread.set(key, next);
  }

  #put(target: K, key: S, item: V): void {
    const gathered = this.values.get(target);
    if (gathered === undefined) this.values.set(target, new Map([[key, item]]));
    else (gathered as Map<S, V>).set(key, item);
    this.#changed.add(target);
  }

  #remove(target: K, key: S): void {
    const gathered = this.values.get(target) as Map<S, V> | undefined;
    gathered?.delete(key);
    if (gathered?.size === 0) this.values.delete(target);
    this.#changed.add(target);
  }

  protected override finish(): void {
    for (const target of this.#changed) this.announce(target);
    this.#changed.clear();
  }
}

/** Receives each entry that changed, once a run. */
class Sink<K extends Key, V> extends DerivedNode<K, V, K, never> {
  readonly #onChange: (key: K, value: V | undefined) => void;

  constructor(name: string, source: Node<K, V>, onChange: (key: K, value: V | undefined) => void) {
    super(name, source);
    this.#onChange = onChange;
  }

  protected update(key: K, value: V | undefined): void {
    this.#onChange(key, value);
  }
}

/** Receives each entry that changed, once a run, with the value that it received last. */
class Comparison<K extends Key, V> extends DerivedNode<K, V, K, V> {
  readonly #onChange: (key: K, old: V | undefined, value: V | undefined) => void;

  constructor(
    name: string,
    source: Node<K, V>,
    onChange: (key: K, old: V | undefined, value: V | undefined) => void,
  ) {
    super(name, source);
    this.#onChange = onChange;
  }

  protected update(key: K, value: V | undefined): void {
    const old = this.values.get(key);
    if (old === value) return;
    if (value === undefined) this.values.delete(key);
    else this.values.set(key, value);
    this.#onChange(key, old, value);
  }
}

/** Declares relations in order and propagates changes through them. */
export class Dataflow {
  readonly #order: Derived[] = [];
  readonly #derivations = new Map<string, number>();

  input<K extends Key, V>(name: string, equal: Equal<V> = Object.is): Input<K, V> {
    return new Input<K, V>(name, equal);
  }

  map<K extends Key, SV, V>(
    name: string,
    source: Relation<K, SV>,
    fn: (key: K, value: SV, read: Read) => V | undefined,
    options: MapOptions<V> = {},
  ): Relation<K, V> {
    return this.#declare(new MapNode(name, source as Node<K, SV>, fn, options));
  }

  index<S extends Key, SV, K extends Key, V>(
    name: string,
    source: Relation<S, SV>,
    fn: (key: S, value: SV, read: Read) => Iterable<readonly [K, V]>,
    equal: Equal<V> = Object.is,
  ): Relation<K, ReadonlyMap<S, V>> {
    return this.#declare(new IndexNode(name, source as Node<S, SV>, fn, equal));
  }

  sink<K extends Key, V>(
    name: string,
    source: Relation<K, V>,
    onChange: (key: K, value: V | undefined) => void,
  ): void {
    this.#declare(new Sink(name, source as Node<K, V>, onChange));
  }

  /** A sink that also receives the previous value. Not for an index: its gathered maps are live. */
  compare<K extends Key, V>(
    name: string,
    source: Relation<K, V>,
    onChange: (key: K, old: V | undefined, value: V | undefined) => void,
  ): void {
    this.#declare(new Comparison(name, source as Node<K, V>, onChange));
  }

  #declare<N extends Derived>(node: N): N {
    this.#order.push(node);
    return node;
  }

  /** Propagates all that inputs have changed since the last run. */
  run(): void {
    for (const node of this.#order) {
      const count = node.recompute();
      if (count > 0) this.#derivations.set(node.name, (this.#derivations.get(node.name) ?? 0) + count);
    }
  }

  /** Every derived relation with what it depends on, in the order of derivation. */
  get edges(): readonly Edge[] {
    return this.#order.map(({ edge }) => edge);
  }

  /** How many derivations each relation has run since the start. Tests use it to see the cost of a change. */
  get derivations(): ReadonlyMap<string, number> {
    return this.#derivations;
  }
}
