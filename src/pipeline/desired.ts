/**
 * The flows that the switch ought to have, merged from what derivations contribute.
 * Owns the merge (one match, many conjunctions), the cookie of each provenance, and the list of keys that
 * changed since somebody last looked. Knows nothing of what is installed.
 */
import { bug } from '../base/errors.ts';
import { hash64 } from '../base/hash.ts';
import {
  type Action,
  canonicalBody,
  canonicalKey,
  type Flow,
  type FlowBody,
  type Match,
} from '../openflow/index.ts';
import type { Conjunction, Draft, Provenance } from './draft.ts';
import { FlowsByValue } from './flows-by-value.ts';

type Whole = Extract<Draft, { readonly body: FlowBody }>;

/** A draft with where it stands and what it counts for, so that to withdraw it nothing is worked out again. */
interface Contribution<D extends Draft = Draft> {
  readonly draft: D;
  readonly key: string;
  readonly reason: Reason;
}

interface Slot {
  readonly place: Draft;
  /** Contributions of the same whole flow (owners may coincide in one, never contradict). */
  readonly wholes: Contribution<Whole>[];
  /** By conjunction: how many contributions; null while there is none, as for most flows. */
  shares: Map<string, Share> | null;
}

interface Share {
  readonly conjunction: Conjunction;
  readonly reason: Reason;
  count: number;
}

/** Why flows are there, as long as one contribution says so. */
interface Reason {
  readonly why: Provenance;
  readonly text: string;
  readonly cookie: bigint;
  count: number;
}

const provenanceText = (why: Provenance): string =>
  `${why.stage}|${why.reason}|${why.port ?? ''}|${why.network ?? ''}|${why.rule ?? ''}|${why.opens ?? ''}|${why.drop ?? ''}|${why.protocol ?? ''}`;

/** The highest bits of a cookie say what kind of flow it is, so that the switch can list one kind alone. */
const cookieMask = 0xfn << 60n;
export const verdictCookies = { cookie: 0xan << 60n, cookieMask } as const;
/** Drops that belong to no port. */
export const hostDropCookies = { cookie: 0xbn << 60n, cookieMask } as const;

function cookieFor(why: Provenance, text: string): bigint {
  const hash = hash64(text) >> 4n;
  if (why.rule !== undefined) return hash | verdictCookies.cookie;
  return why.drop !== undefined && why.port === undefined ? hash | hostDropCookies.cookie : hash;
}

const shareKey = ({ id, clause, of }: Conjunction): string => `${id}/${clause}/${of}`;

export class DesiredFlows {
  readonly #slots = new Map<string, Slot>();
  readonly #owned = new Map<string, readonly Contribution[]>();
  readonly #reasons = new Map<string, Reason>();
  readonly #byCookie = new Map<bigint, Reason>();
  /** Reasons that no wanted flow has any more; the switch may still hold one that has. */
  readonly #former: Reason[] = [];
  readonly #byValue = new FlowsByValue();
  /** What was wanted at each of these keys when somebody last looked; null where nothing was. */
  #changed = new Map<string, Flow | null>();

  /** Replaces all that `owner` contributes; an empty list withdraws it. */
  contribute(owner: string, drafts: readonly Draft[]): void {
    // The old ones first: what is said again then meets nothing that it would have to be compared with.
    for (const contribution of this.#owned.get(owner) ?? []) this.#remove(contribution);
    const added = drafts.map((draft) => this.#add(draft));
    if (added.length === 0) this.#owned.delete(owner);
    else this.#owned.set(owner, added);
  }

  #add(draft: Draft): Contribution {
    const key = canonicalKey(draft.table, draft.priority, draft.match);
    const reason = this.#hold(draft.why);
    let slot = this.#slots.get(key);
    this.#touch(key, slot);
    if (slot === undefined) {
      this.#slots.set(key, (slot = { place: draft, wholes: [], shares: null }));
      this.#byValue.add(key, draft);
    }
    if ('body' in draft) {
      const whole = { draft, key, reason };
      const first = slot.wholes[0];
      // Where two owners differ the newer wins until the older is withdrawn, which happens within the same run.
      if (first !== undefined && canonicalBody(first.draft.body) !== canonicalBody(draft.body))
        slot.wholes.unshift(whole);
      else slot.wholes.push(whole);
      return whole;
    }
    slot.shares ??= new Map();
    const { conjunction } = draft;
    const share = slot.shares.get(shareKey(conjunction));
    if (share === undefined) slot.shares.set(shareKey(conjunction), { conjunction, reason, count: 1 });
    else share.count++;
    return { draft, key, reason };
  }

  #remove(contribution: Contribution): void {
    const { draft, key, reason } = contribution;
    const slot = this.#slots.get(key) ?? bug(`no slot for a contributed flow: ${key}`);
    this.#touch(key, slot);
    this.#letGo(reason);
    if ('body' in draft) {
      const at = slot.wholes.indexOf(contribution as Contribution<Whole>);
      if (at === -1) bug(`a contributed flow is not in its slot: ${key}`);
      slot.wholes.splice(at, 1);
    } else {
      const share = slot.shares?.get(shareKey(draft.conjunction));
      if (share === undefined) bug(`a contributed clause is not in its slot: ${key}`);
      else if (--share.count === 0) slot.shares?.delete(shareKey(draft.conjunction));
      if (slot.shares?.size === 0) slot.shares = null;
    }
    if (slot.wholes.length > 0 || slot.shares !== null) return;
    this.#slots.delete(key);
    this.#byValue.remove(key, slot.place);
  }

  /** Before a change at a key. */
  #touch(key: string, slot: Slot | undefined): void {
    if (!this.#changed.has(key)) this.#changed.set(key, slot === undefined ? null : flowOf(slot));
  }

  /** The keys that may have changed since the last call, each with the flow that was wanted then. Forgets them. */
  takeChanged(): ReadonlyMap<string, Flow | null> {
    const changed = this.#changed;
    this.#changed = new Map();
    return changed;
  }

  /** The keys of wanted flows that match an indexed field exactly (flows-by-value.ts). */
  having(field: keyof Match, value: number): Iterable<string> {
    return this.#byValue.having(field, value);
  }

  *flowsOf(table: number): Generator<Flow> {
    for (const slot of this.#slots.values()) if (slot.place.table === table) yield flowOf(slot);
  }

  /** The flow wanted at a key, or undefined when none is. */
  get(key: string): Flow | undefined {
    const slot = this.#slots.get(key);
    return slot === undefined ? undefined : flowOf(slot);
  }

  keys(): IterableIterator<string> {
    return this.#slots.keys();
  }

  get size(): number {
    return this.#slots.size;
  }

  /** What a cookie stands for; undefined when no flow has it that is wanted, or was until `forgetFormer`. */
  provenanceOf(cookie: bigint): Provenance | undefined {
    return this.#byCookie.get(cookie)?.why;
  }

  /** To be called when the switch holds what is wanted. */
  forgetFormer(): void {
    for (const { cookie } of this.#former.splice(0))
      if (this.#byCookie.get(cookie)?.count === 0) this.#byCookie.delete(cookie);
  }

  #hold(why: Provenance): Reason {
    const text = provenanceText(why);
    let reason = this.#reasons.get(text);
    if (reason === undefined) {
      reason = { why, text, cookie: cookieFor(why, text), count: 0 };
      this.#reasons.set(text, reason);
      this.#byCookie.set(reason.cookie, reason);
    }
    reason.count++;
    return reason;
  }

  #letGo(reason: Reason): void {
    if (--reason.count > 0) return;
    this.#reasons.delete(reason.text);
    this.#former.push(reason);
  }
}

function flowOf(slot: Slot): Flow {
  const { table, priority, match } = slot.place;
  const [whole] = slot.wholes;
  if (whole !== undefined)
    return { table, priority, match, ...whole.draft.body, cookie: whole.reason.cookie };
  const shares = sharesOf(slot);
  const [first] = shares;
  if (first === undefined) return bug('a slot without contributions');
  const actions = shares.map(({ conjunction }): Action => ({ type: 'conjunction', ...conjunction }));
  return { table, priority, match, actions, cookie: first.reason.cookie };
}

/** In a fixed order, so that the same set is the same flow. */
function sharesOf(slot: Slot): Share[] {
  return [...(slot.shares?.values() ?? [])].sort(
    ({ conjunction: a }, { conjunction: b }) => a.id - b.id || a.clause - b.clause,
  );
}
