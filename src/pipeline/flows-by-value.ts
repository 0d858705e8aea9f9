/**
 * The keys of flows by the exact value that they match in a register, or by the conjunction that they complete. Only the
 * fields whose values stand for something of this host are indexed. Owns no flows.
 */
import type { Flow, Match } from '../openflow/index.ts';
import { register } from './registers.ts';
import type { TableRow } from './rows.ts';
import { tables } from './tables.ts';

/** Registers whose values mean nothing but what later flows do with them. */
export const classRegisters = [
  register.sourceSet,
  register.destinationSet,
  register.peer,
  register.addresses,
  register.sourceReserved,
  register.targetReserved,
] as const;

const indexed = [...classRegisters, 'conj_id'] as const;
type Indexed = (typeof indexed)[number];
type Place = Pick<Flow, 'table' | 'match'>;

const nothing: ReadonlySet<string> = new Set();

/** By table id: the indexed fields that its flows may match. */
const fieldsOf: ReadonlyMap<number, readonly Indexed[]> = new Map(
  Object.values<TableRow>(tables).map(({ id, match }) => [
    id,
    indexed.filter((field) => (match as readonly string[]).includes(field)),
  ]),
);

export class FlowsByValue {
  readonly #keys = new Map<Indexed, Map<number, Set<string>>>(indexed.map((field) => [field, new Map()]));

  add(key: string, { table, match }: Place): void {
    for (const field of fieldsOf.get(table) ?? []) {
      const value = match[field];
      if (typeof value !== 'number') continue;
      const byValue = this.#keys.get(field);
      const keys = byValue?.get(value);
      if (keys === undefined) byValue?.set(value, new Set([key]));
      else keys.add(key);
    }
  }

  remove(key: string, { table, match }: Place): void {
    for (const field of fieldsOf.get(table) ?? []) {
      const value = match[field];
      if (typeof value !== 'number') continue;
      const byValue = this.#keys.get(field);
      const keys = byValue?.get(value);
      keys?.delete(key);
      if (keys?.size === 0) byValue?.delete(value);
    }
  }

  having(field: keyof Match, value: number): ReadonlySet<string> {
    return this.#keys.get(field as Indexed)?.get(value) ?? nothing;
  }
}
