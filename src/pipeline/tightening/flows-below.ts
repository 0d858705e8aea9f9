/**
 * The flows of a table that a packet may meet where it does not match a given flow. Finds them as the switch does: by the
 * shapes of matches (priority and masks) that occur in a table, with one look-up for each shape that covers the given match.
 *
 * Invariant: a shape that occurred once stays, so a shape may be empty, but none is missed.
 */
import { canonicalKey, type FieldBits, type Flow, type Masked, type Match } from '../../openflow/index.ts';
import { signatureOf } from './effect.ts';

type Field = keyof Match;

interface Shape {
  readonly priority: number;
  /** With masks; null for the whole field. */
  readonly fields: ReadonlyMap<Field, FieldBits | null>;
  /** The values of the fields that other fields depend on. */
  readonly pins: Match;
  /** What flows of the shape do: signatures, null for one without. */
  readonly does: Set<string | null>;
}

/** What may lie below a match. */
export type Below =
  /** All packets of the match would meet this flow, if it is there and none before it is met. */
  | { readonly covers: string }
  /** Some packets may meet flows that do these. */
  | { readonly does: ReadonlySet<string | null> };

const pinned = ['eth_type', 'ip_proto', 'ip_frag'] as const satisfies readonly Field[];

const isMasked = (value: FieldBits | Masked): value is Masked => typeof value === 'object';
const valueOf = (value: FieldBits | Masked): bigint => BigInt(isMasked(value) ? value.value : value);
const textOf = (value: FieldBits | Masked | undefined): string => {
  if (value === undefined) return '';
  return isMasked(value) ? `${value.value}/${value.mask}` : `${value}`;
};
const entriesOf = (match: Match) => Object.entries(match) as [Field, FieldBits | Masked | undefined][];

/** Whether no packet can have both matches. */
export function areDisjoint(a: Match, b: Match, fields: Iterable<Field>): boolean {
  for (const field of fields) {
    const [one, other] = [a[field], b[field]];
    if (one === undefined || other === undefined) continue;
    const masks = [one, other].flatMap((value) => (isMasked(value) ? [BigInt(value.mask)] : []));
    const differs = masks.reduce((bits, mask) => bits & mask, valueOf(one) ^ valueOf(other));
    if (differs !== 0n) return true;
  }
  return false;
}

/** The match, cut down to the bits of a shape; null when it leaves some of them open. */
function cutDown(match: Match, { fields }: Shape): Match | null {
  const cut: Record<string, FieldBits | Masked> = {};
  for (const [field, mask] of fields) {
    const own = match[field];
    if (own === undefined) return null;
    if (mask === null) {
      if (isMasked(own)) return null;
      cut[field] = own;
      continue;
    }
    const bits = BigInt(mask);
    if (isMasked(own) && (BigInt(own.mask) & bits) !== bits) return null;
    const value = valueOf(own) & bits;
    cut[field] = typeof mask === 'bigint' ? { value, mask } : { value: Number(value), mask };
  }
  return cut;
}

export class FlowsBelow {
  readonly #flowsOf: (table: number) => Iterable<Flow>;
  /** By table, from the highest priority to the lowest. */
  readonly #tables = new Map<number, Map<string, Shape>>();
  readonly #sorted = new Map<number, readonly Shape[]>();

  constructor(flowsOf: (table: number) => Iterable<Flow>) {
    this.#flowsOf = flowsOf;
  }

  /** To be called after changes that were not noted. */
  forget(): void {
    this.#tables.clear();
    this.#sorted.clear();
  }

  /** A flow that is there now, or was. */
  note(flow: Flow): void {
    const shapes = this.#tables.get(flow.table);
    if (shapes !== undefined) this.#add(shapes, flow);
  }

  #add(shapes: Map<string, Shape>, flow: Flow): void {
    const { table, priority, match } = flow;
    // In steps without copies: a table has thousands of flows, and a handful of shapes.
    let text = `${priority}`;
    for (const name in match) {
      const value = match[name as Field];
      if (value === undefined) continue;
      text += isMasked(value) ? ` ${name}/${value.mask}` : ` ${name}`;
    }
    for (const field of pinned) text += ` ${textOf(match[field])}`;
    let shape = shapes.get(text);
    if (shape === undefined) {
      const fields = entriesOf(match).flatMap(([field, value]): [Field, FieldBits | null][] =>
        value === undefined ? [] : [[field, isMasked(value) ? value.mask : null]],
      );
      const pins = Object.fromEntries(
        pinned.flatMap((field) => (field in match ? [[field, match[field]]] : [])),
      );
      shape = { priority, fields: new Map(fields), pins, does: new Set() };
      shapes.set(text, shape);
      this.#sorted.delete(table);
    }
    shape.does.add(signatureOf(flow));
  }

  #shapesOf(table: number): readonly Shape[] {
    let shapes = this.#tables.get(table);
    if (shapes === undefined) {
      this.#tables.set(table, (shapes = new Map()));
      for (const flow of this.#flowsOf(table)) this.#add(shapes, flow);
    }
    let sorted = this.#sorted.get(table);
    if (sorted === undefined) {
      sorted = [...shapes.values()].sort((a, b) => b.priority - a.priority);
      this.#sorted.set(table, sorted);
    }
    return sorted;
  }

  /** What lies at the flow's priority or below it, from the highest priority to the lowest. */
  *below({ table, priority, match }: Pick<Flow, 'table' | 'priority' | 'match'>): Generator<Below> {
    const own = canonicalKey(table, priority, match);
    for (const shape of this.#shapesOf(table)) {
      if (shape.priority > priority || areDisjoint(match, shape.pins, pinned)) continue;
      const cut = cutDown(match, shape);
      if (cut === null) yield shape;
      else {
        const covers = canonicalKey(table, shape.priority, cut);
        if (covers !== own) yield { covers };
      }
    }
  }
}
