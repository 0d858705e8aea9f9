/** The conntrack lookup of a packet in its network's zone, going on at a table with the state known. */
import type { Action } from '../openflow/index.ts';
import { register, type TableName, tables } from './tables.ts';

export const lookUp = (next: TableName): Action => ({
  type: 'ct',
  zone: { field: register.zone, offset: 0, bits: 16 },
  table: tables[next].id,
});
