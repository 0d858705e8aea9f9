/**
 * Ports as registers: each update of a port is a write of the pair of its revision number and a description that is used
 * once. Records who was told what and when, and decides whether all of it can be true.
 */
import type { PortRecord } from '../../src/model/records.ts';
import { linearizationFault, type Operation } from './linearizability.ts';

/** What a register holds. */
export interface Value {
  readonly revision: number;
  readonly text: string;
}

/** An answer that a server gave from its copy of the store, which may be older than the store. */
interface Shown {
  /** A server that starts again shows no less than before. */
  readonly server: string;
  readonly called: number;
  readonly answered: number;
  readonly value: Value;
}

export const valueOf = ({ revision_number, description }: PortRecord): Value => ({
  revision: revision_number,
  text: description,
});

const keyOf = ({ revision, text }: Value): string => `${revision} ${text}`;
const equal = (a: Value, b: Value): boolean => keyOf(a) === keyOf(b);

export class Register {
  readonly #initial: Value;
  readonly #operations: Operation<Value>[] = [];
  readonly #open: { readonly called: number; readonly text: string }[] = [];
  readonly #shown: Shown[] = [];
  /** By text: every value that somebody has seen. */
  readonly #seen = new Map<string, Value>();

  constructor(initial: Value) {
    this.#initial = initial;
    this.#seen.set(initial.text, initial);
  }

  /** The answer to an update has the new value. */
  wrote(called: number, answered: number, value: Value, server: string): void {
    this.#seen.set(value.text, value);
    this.#shown.push({ server, called, answered, value });
    const step = ({ revision }: Value) => (revision === value.revision - 1 ? value : null);
    this.#operations.push({ called, answered, step, text: `write ${keyOf(value)}` });
  }

  /** No answer, or one that leaves it open whether the update was made. */
  perhapsWrote(called: number, text: string): void {
    this.#open.push({ called, text });
  }

  /** An update on the condition of a revision number was refused. */
  refused(called: number, answered: number, revision: number): void {
    const step = (state: Value) => (state.revision === revision ? null : state);
    this.#operations.push({ called, answered, step, text: `refuse revision ${revision}` });
  }

  /** A read of the store. */
  read(called: number, answered: number, value: Value): void {
    this.#seen.set(value.text, value);
    const step = (state: Value) => (equal(state, value) ? state : null);
    this.#operations.push({ called, answered, step, text: `read ${keyOf(value)}` });
  }

  /** A read of a server's copy. */
  shown(called: number, answered: number, value: Value, server: string): void {
    this.#seen.set(value.text, value);
    this.#shown.push({ server, called, answered, value });
  }

  get count(): number {
    return this.#operations.length + this.#shown.length;
  }

  /** Empty where the history is as it must be. */
  faults(): readonly string[] {
    const revisions = new Set([...this.#seen.values()].map(({ revision }) => revision));
    const latest = Math.max(...revisions);
    const open = this.#open.map(({ called, text }): Operation<Value> => {
      const seen = this.#seen.get(text);
      const step = (state: Value): Value | null => {
        const revision = state.revision + 1;
        if (seen !== undefined) return seen.revision === revision ? seen : null;
        // A value that nobody saw can only have had a revision that nobody saw. One after the latest explains a refusal.
        return revisions.has(revision) || revision > latest + 1 ? null : { revision, text };
      };
      return { called, answered: null, step, text: `perhaps write ${text}` };
    });
    const fault = linearizationFault(this.#initial, [...this.#operations, ...open], keyOf);
    const found =
      fault === null
        ? []
        : [
            `not linearizable (certain: ${fault.isCertain}) after ${fault.ordered}: ${fault.stuckAt.join('\n')}`,
          ];
    return [...found, ...this.#twice(), ...this.#backwards()];
  }

  /** Two values with one revision. */
  #twice(): readonly string[] {
    const texts = new Map<number, string>();
    return [...this.#seen.values()].flatMap(({ revision, text }) => {
      const other = texts.get(revision);
      texts.set(revision, text);
      return other === undefined ? [] : [`revision ${revision} is ${other} and ${text}`];
    });
  }

  /** One server never shows less than it has shown before. */
  #backwards(): readonly string[] {
    const faults: string[] = [];
    for (const later of this.#shown)
      for (const earlier of this.#shown)
        if (
          earlier.server === later.server &&
          earlier.answered < later.called &&
          earlier.value.revision > later.value.revision
        )
          faults.push(`${later.server} showed ${keyOf(earlier.value)}, then ${keyOf(later.value)}`);
    return faults.slice(0, 3);
  }
}
