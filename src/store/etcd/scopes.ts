/**
 * Where things lie in etcd, and which stamps a transaction leaves. All keys begin with the cloud's root:
 *
 * - `k/KEY` has an entry of the store.
 * - `s/OWNER/KIND` is the stamp of a scope (`stampOf`): its mod revision is that of the last transaction that changed a key
 *   in it. The empty scope is the whole store. `subscription.ts` says what stamps are for.
 * - `t/NAME/...` are the slots of a client (`slots.ts`).
 *
 * A scope is what readers can follow by itself: the first parts of a key, as many as `depthOf` says for its first part.
 */
import type { Write } from '../contract.ts';
import type { KeyRange } from './messages.ts';

/** How many parts name a scope of keys with this first part; 0 where none is followed by itself. */
export type DepthOf = (firstPart: string) => number;

export class Places {
  readonly #root: string;
  readonly #depthOf: DepthOf;

  constructor(root: string, depthOf: DepthOf) {
    this.#root = root;
    this.#depthOf = depthOf;
  }

  key(key: string): Buffer {
    return Buffer.from(`${this.#root}k/${key}`);
  }

  /** The store's key in one of etcd's. */
  keyIn(place: string): string {
    return place.slice(this.#root.length + 2);
  }

  stamp(scope: string): Buffer {
    const { owner, kind } = stampOf(scope);
    return Buffer.from(`${this.#root}s/${owner}/${kind}`);
  }

  /** The ranges with the stamps of these scopes, and perhaps of others. Fewer than there are scopes. */
  stampsOf(scopes: readonly string[]): readonly KeyRange[] {
    const owners = new Set(scopes.map((scope) => stampOf(scope).owner));
    return [...owners].map((owner) => beginningWith(Buffer.from(`${this.#root}s/${owner}/`)));
  }

  /** The scope of a stamp among etcd's keys. */
  scopeIn(place: string): string {
    const at = place.lastIndexOf('/');
    const [owner, kind] = [place.slice(this.#root.length + 2, at), place.slice(at + 1)];
    return owner === '' ? kind : `${kind}/${owner}`;
  }

  slot(client: string, number: number): Buffer {
    return Buffer.from(`${this.#root}t/${client}/${number}`);
  }

  /** The ranges with the keys under a prefix and no others. */
  under(prefix: string): readonly KeyRange[] {
    if (prefix === '' || prefix.endsWith('/')) return [beginningWith(this.key(prefix))];
    return [{ key: this.key(prefix) }, beginningWith(this.key(`${prefix}/`))];
  }

  /** A range with all keys of a scope, and perhaps some neighbours. */
  ofScope(scope: string): KeyRange {
    if (scope === '') return beginningWith(this.key(''));
    return { key: this.key(scope), end: afterLast(this.key(`${scope}/`)) };
  }

  /** The scope that has all keys under a prefix; empty where only the whole store has. */
  scopeOf(prefix: string): string {
    const parts = prefix.split('/');
    const depth = this.#depthOf(parts[0] ?? '');
    const scope = parts.slice(0, depth);
    return depth > 0 && scope.length === depth && scope.every((part) => part !== '') ? scope.join('/') : '';
  }

  /** The scopes that a transaction changes, the whole store among them, each with a write that changes it. */
  scopesIn(writes: readonly Write[]): ReadonlyMap<string, Write> {
    const scopes = new Map<string, Write>();
    for (const write of writes)
      for (const scope of ['', this.scopeOf(write.key)])
        if (write.op === 'put' || !scopes.has(scope)) scopes.set(scope, write);
    return scopes;
  }
}

/**
 * The kind comes last, so that one range has the stamps of all scopes of an owner, as of a network. The owner is empty for a
 * scope that has all keys of a kind; both are for the scope of the whole store.
 */
function stampOf(scope: string): { readonly owner: string; readonly kind: string } {
  const [kind = '', ...owner] = scope.split('/');
  return { owner: owner.join('/'), kind };
}

export function beginningWith(prefix: Buffer): KeyRange {
  return { key: prefix, end: afterLast(prefix) };
}

/** The first key after all that begin with the prefix. */
function afterLast(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return end;
}
