/**
 * A last flow for every table that has no flow for all packets: what no other flow matches is dropped there and counted.
 * Without it the switch would drop such packets by itself, and no counter would show them.
 */

import type { Direction } from '../policy/world.ts';
import { type Draft, type DropWhy, drop } from './draft.ts';
import { type TableWithBand, tables, tablesWithBand } from './tables.ts';

/** Tables up to forwarding see what a guest sent; those behind it, what is for a guest. */
const wayOf = (table: TableWithBand<'miss'>): Direction =>
  tables[table].id <= tables.l2.id ? 'egress' : 'ingress';

const whyOf = (table: TableWithBand<'miss'>): DropWhy => ({ reason: 'no-flow', drop: wayOf(table) });

export const missDefaults: readonly Draft[] = tablesWithBand('miss').map((table) =>
  drop(table, 'miss', {}, whyOf(table)),
);
