/**
 * OVSDB's operations as values (RFC 7047, section 5.2), and the parsing of a transaction's results. Sends
 * nothing; configuration.ts builds the changes of bridges and ports.
 */
import { Fault } from '../base/errors.ts';
import { database } from './schema.ts';

export type TransactionFault =
  /** Nothing was changed. `operation` is the index of the failed operation, or null when the commit failed. */
  | {
      readonly code: 'TransactionFailed';
      readonly error: string;
      readonly details: string;
      readonly operation: number | null;
    }
  /** The answer does not fit these operations, so their outcome is unknown. */
  | { readonly code: 'BadAnswer' };

export type Atom = string | number | boolean | readonly ['uuid', string] | readonly ['named-uuid', string];
export type WireValue =
  | Atom
  | readonly ['set', readonly Atom[]]
  | readonly ['map', readonly (readonly [Atom, Atom])[]];
export type WireRow = Readonly<Record<string, WireValue>>;
export type RowCondition = readonly [
  column: string,
  relation: '<' | '<=' | '==' | '!=' | '>=' | '>' | 'includes' | 'excludes',
  value: WireValue,
];
export type Mutation = readonly [
  column: string,
  mutator: '+=' | '-=' | '*=' | '/=' | '%=' | 'insert' | 'delete',
  value: WireValue,
];

export type Operation =
  | { readonly op: 'insert'; readonly table: string; readonly row: WireRow; readonly 'uuid-name'?: string }
  | {
      readonly op: 'select';
      readonly table: string;
      readonly where: readonly RowCondition[];
      readonly columns?: readonly string[];
    }
  | {
      readonly op: 'update';
      readonly table: string;
      readonly where: readonly RowCondition[];
      readonly row: WireRow;
    }
  | {
      readonly op: 'mutate';
      readonly table: string;
      readonly where: readonly RowCondition[];
      readonly mutations: readonly Mutation[];
    }
  | { readonly op: 'delete'; readonly table: string; readonly where: readonly RowCondition[] }
  | {
      readonly op: 'wait';
      readonly table: string;
      readonly where: readonly RowCondition[];
      readonly columns: readonly string[];
      readonly until: '==' | '!=';
      readonly rows: readonly WireRow[];
      /** Milliseconds. */
      readonly timeout: number;
    }
  | { readonly op: 'comment'; readonly comment: string };

export const uuidAtom = (id: string): Atom => ['uuid', id];
export const namedUuid = (name: string): Atom => ['named-uuid', name];
export const setOf = (members: readonly Atom[]): WireValue => ['set', members];
export const mapOf = (entries: Iterable<readonly [string, string]>): WireValue => ['map', [...entries]];

/** The result of one operation: a UUID for insert, rows for select, a count for other changes. */
export interface OperationResult {
  readonly uuid?: string;
  readonly rows?: readonly Readonly<Record<string, unknown>>[];
  readonly count?: number;
}

export function transactParams(operations: readonly Operation[]): readonly unknown[] {
  return [database, ...operations];
}

/** One result an operation, in order. Throws a TransactionFault. */
export function readResults(answer: unknown, operations: readonly Operation[]): readonly OperationResult[] {
  if (!Array.isArray(answer)) throw badAnswer('not a list');
  const entries = answer as readonly unknown[];
  entries.forEach((entry, index) => {
    if (!isObject(entry) || typeof entry.error !== 'string') return;
    const details = typeof entry.details === 'string' ? entry.details : '';
    const operation = index < operations.length ? index : null;
    const name = operation === null ? 'commit' : `operation ${index} (${operations[index]?.op})`;
    throw new Fault<TransactionFault>(
      { code: 'TransactionFailed', error: entry.error, details, operation },
      `transaction failed at ${name}: ${entry.error}${details ? `: ${details}` : ''}`,
    );
  });
  if (entries.length !== operations.length) throw badAnswer(`${entries.length} results`);
  return entries.map((entry, index) => readResult(entry, operations[index]));
}

function readResult(entry: unknown, operation: Operation | undefined): OperationResult {
  if (!isObject(entry)) throw badAnswer('a result is not an object');
  switch (operation?.op) {
    case 'insert': {
      const [tag, id] = Array.isArray(entry.uuid) ? (entry.uuid as readonly unknown[]) : [];
      if (tag !== 'uuid' || typeof id !== 'string') throw badAnswer('insert without a uuid');
      return { uuid: id };
    }
    case 'select': {
      const rows: unknown = entry.rows;
      if (!Array.isArray(rows) || !rows.every(isObject)) throw badAnswer('select without rows');
      return { rows };
    }
    case 'update':
    case 'mutate':
    case 'delete':
      if (typeof entry.count !== 'number') throw badAnswer(`${operation.op} without a count`);
      return { count: entry.count };
    default:
      return {};
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function badAnswer(reason: string): Fault<TransactionFault> {
  return new Fault<TransactionFault>({ code: 'BadAnswer' }, `unexpected answer to a transaction: ${reason}`);
}
