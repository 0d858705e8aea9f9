/**
 * Decides whether a history of operations on one object is linearizable: whether each can have happened at one moment
 * between its call and its answer, so that every answer is right. The search is Wing and Gong's with the memory of Lowe: a
 * set of operations that was reached with the same state is not searched again.
 *
 * An operation without an answer may have happened at any moment after its call, or never.
 */
export interface Operation<S> {
  /** Milliseconds by one clock. */
  readonly called: number;
  /** Null: no answer came. */
  readonly answered: number | null;
  /** Null where the answer is wrong in this state. */
  readonly step: (state: S) => S | null;
  /** For the report of a failure. */
  readonly text: string;
}

interface Node<S> {
  readonly state: S;
  /** All answered operations before this place have happened. */
  readonly first: number;
  /** Those behind it that have happened too, and those without an answer. */
  readonly done: ReadonlySet<Operation<S>>;
}

export interface Failure {
  /** How many of the answered operations could be ordered at most. */
  readonly ordered: number;
  /** False where the search gave up. */
  readonly isCertain: boolean;
  /** The state then, and what could have come next in no order with right answers. */
  readonly stuckAt: readonly string[];
}

/** Nodes after which a search gives up: only histories with many operations without an answer come there. */
const maxNodes = 300_000;

/** Null for a linearizable history. `keyOf` tells states apart. */
export function linearizationFault<S>(
  initial: S,
  history: readonly Operation<S>[],
  keyOf: (state: S) => string,
): Failure | null {
  const answered = history
    .filter((operation) => operation.answered !== null)
    .toSorted((a, b) => a.called - b.called);
  const open = history.filter((operation) => operation.answered === null);
  const numbers = new Map(history.map((operation, number) => [operation, number] as const));
  const visited = new Set<string>();
  let furthest: Node<S> = { state: initial, first: 0, done: new Set() };
  if (answered.length === 0) return null;
  const failure = ({ first, done, state }: Node<S>, isCertain: boolean): Failure => {
    const near = answered.slice(Math.max(0, first - 5), first + 10).filter((each) => !done.has(each));
    const told = [...near, ...open.filter((each) => !done.has(each))].map(
      ({ called, answered: end, text }) => `${called.toFixed(1)} to ${end?.toFixed(1) ?? 'never'}: ${text}`,
    );
    return { ordered: first, isCertain, stuckAt: [`in the state ${keyOf(state)}`, ...told] };
  };
  const branches = [{ node: furthest, left: candidates(furthest, answered, open) }];
  for (let branch = branches.at(-1); branch !== undefined; branch = branches.at(-1)) {
    const operation = branch.left.shift();
    if (operation === undefined) {
      branches.pop();
      continue;
    }
    const state = operation.step(branch.node.state);
    if (state === null) continue;
    const node = after(branch.node, operation, state, answered);
    if (node.first === answered.length) return null;
    const key = `${node.first}|${[...node.done].map((each) => numbers.get(each)).join()}|${keyOf(state)}`;
    if (visited.has(key)) continue;
    visited.add(key);
    if (visited.size > maxNodes) return failure(furthest, false);
    if (node.first > furthest.first) furthest = node;
    branches.push({ node, left: candidates(node, answered, open) });
  }
  return failure(furthest, true);
}

/** The operations that no other one must precede: those that were answered first come first, the unanswered ones last. */
function candidates<S>(
  { first, done }: Node<S>,
  answered: readonly Operation<S>[],
  open: readonly Operation<S>[],
): Operation<S>[] {
  let earliest = Infinity;
  const found: Operation<S>[] = [];
  for (let at = first; at < answered.length; at++) {
    const operation = answered[at];
    if (operation === undefined || operation.called > earliest) break;
    if (done.has(operation)) continue;
    found.push(operation);
    earliest = Math.min(earliest, operation.answered ?? Infinity);
  }
  const possible = found
    .filter(({ called }) => called <= earliest)
    .toSorted((a, b) => (a.answered ?? Infinity) - (b.answered ?? Infinity));
  return [...possible, ...open.filter((operation) => !done.has(operation) && operation.called <= earliest)];
}

function after<S>(
  node: Node<S>,
  operation: Operation<S>,
  state: S,
  answered: readonly Operation<S>[],
): Node<S> {
  const done = new Set(node.done).add(operation);
  let { first } = node;
  for (let next = answered[first]; next !== undefined && done.delete(next); next = answered[first]) first++;
  return { state, first, done };
}
