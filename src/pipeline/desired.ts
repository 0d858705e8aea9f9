/**
 * The flows that the switch ought to have, merged from what derivations contribute.
 * Owns the merge (one match, many conjunctions), the cookie of each provenance, and the list of keys that
 * changed since somebody last looked. Knows nothing of what is installed.
 */
import { bug } from '../base/errors.ts';
import { type Action, canonicalBody, canonicalKey, type Flow, type FlowBody } from '../openflow/index.ts';
import type { Conjunction, Draft, Provenance } from './draft.ts';
import { hash64 } from './ids.ts';

type Whole = Extract<Draft, { readonly body: FlowBody }>;
type Clause = Extract<Draft, { readonly conjunction: Conjunction }>;

interface Slot {
  readonly draft: Draft;
  /** Contributions of the same whole flow (owners may coincide in one, never contradict). */
  readonly wholes: Whole[];
  /** By conjunction: how many contributions; null while there is none, as for most flows. */
  shares: Map<string, { readonly draft: Clause; count: number }> | null;
}

/** Why flows are there, as long as one contribution says so. */
interface Reason {
  readonly why: Provenance;
  readonly cookie: bigint;
  count: number;
}

const provenanceText = (why: Provenance): string =>
  [why.stage, why.reason, why.port, why.network, why.rule, why.opens, why.drop, why.protocol].join('|');

/** Verdicts of rules are told by their cookies' highest bits, so that the switch can list them alone. */
export const verdictCookies = { cookie: 0xan << 60n, cookieMask: 0xfn << 60n } as const;

function cookieFor(why: Provenance, text: string): bigint {
  const hash = hash64(text) >> 4n;
  return why.rule === undefined ? hash : hash | verdictCookies.cookie;
}

const shareKey = ({ id, clause, of }: Conjunction): string => `${id}/${clause}/${of}`;

export class DesiredFlows {
  readonly #slots = new Map<string, Slot>();
  readonly #owned = new Map<string, readonly Draft[]>();
  readonly #reasons = new Map<string, Reason>();
  readonly #byCookie = new Map<bigint, Reason>();
  /** Reasons that no wanted flow has any more; the switch may still hold one that has. */
  readonly #former: Reason[] = [];
  #changed = new Set<string>();

  /** Replaces all that `owner` contributes; an empty list withdraws it. */
  contribute(owner: string, drafts: readonly Draft[]): void {
    const old = this.#owned.get(owner);
    for (const draft of drafts) this.#add(draft);
    for (const draft of old ?? []) this.#remove(draft);
    if (drafts.length === 0) this.#owned.delete(owner);
    else this.#owned.set(owner, drafts);
  }

  #add(draft: Draft): void {
    this.#hold(draft.why);
    const key = canonicalKey(draft.table, draft.priority, draft.match);
    let slot = this.#slots.get(key);
    if (slot === undefined) this.#slots.set(key, (slot = { draft, wholes: [], shares: null }));
    if ('body' in draft) {
      const first = slot.wholes[0];
      // Where two differ the newer wins until the older is withdrawn, which happens within the same change.
      if (first !== undefined && canonicalBody(first.body) !== canonicalBody(draft.body))
        slot.wholes.unshift(draft);
      else slot.wholes.push(draft);
    } else {
      slot.shares ??= new Map();
      const { conjunction } = draft;
      const share = slot.shares.get(shareKey(conjunction));
      if (share === undefined) slot.shares.set(shareKey(conjunction), { draft, count: 1 });
      else share.count++;
    }
    this.#changed.add(key);
  }

  #remove(draft: Draft): void {
    this.#letGo(draft.why);
    const key = canonicalKey(draft.table, draft.priority, draft.match);
    const slot = this.#slots.get(key) ?? bug(`no slot for a contributed flow: ${key}`);
    if ('body' in draft) {
      const at = slot.wholes.indexOf(draft);
      if (at === -1) bug(`a contributed flow is not in its slot: ${key}`);
      slot.wholes.splice(at, 1);
    } else {
      const share = slot.shares?.get(shareKey(draft.conjunction));
      if (share === undefined) bug(`a contributed clause is not in its slot: ${key}`);
      else if (--share.count === 0) slot.shares?.delete(shareKey(draft.conjunction));
      if (slot.shares?.size === 0) slot.shares = null;
    }
    if (slot.wholes.length === 0 && slot.shares === null) this.#slots.delete(key);
    this.#changed.add(key);
  }

  /** The keys that may have changed since the last call, and forgets them. */
  takeChanged(): ReadonlySet<string> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  /** The flow wanted at a key, or undefined when none is. */
  get(key: string): Flow | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined) return undefined;
    const { table, priority, match } = slot.draft;
    const [whole] = slot.wholes;
    if (whole !== undefined)
      return { table, priority, match, ...whole.body, cookie: this.#cookieOf(whole.why) };
    const [first, ...others] = sharesOf(slot);
    if (first === undefined) return bug('a slot without contributions');
    const actions = [first, ...others].map(
      ({ conjunction }): Action => ({ type: 'conjunction', ...conjunction }),
    );
    return { table, priority, match, actions, cookie: this.#cookieOf(first.why) };
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

  #hold(why: Provenance): void {
    const text = provenanceText(why);
    let reason = this.#reasons.get(text);
    if (reason === undefined) {
      reason = { why, cookie: cookieFor(why, text), count: 0 };
      this.#reasons.set(text, reason);
      this.#byCookie.set(reason.cookie, reason);
    }
    reason.count++;
  }

  #letGo(why: Provenance): void {
    const text = provenanceText(why);
    const reason = this.#reasons.get(text) ?? bug(`nobody holds ${text}`);
    if (--reason.count > 0) return;
    this.#reasons.delete(text);
    this.#former.push(reason);
  }

  #cookieOf(why: Provenance): bigint {
    return this.#reasons.get(provenanceText(why))?.cookie ?? bug('a wanted flow has no reason');
  }
}

/** In a fixed order, so that the same set is the same flow. */
function sharesOf(slot: Slot): Clause[] {
  return [...(slot.shares?.values() ?? [])]
    .map(({ draft }) => draft)
    .sort(({ conjunction: a }, { conjunction: b }) => a.id - b.id || a.clause - b.clause);
}
