/**
 * What a table's row says: all that a flow of the table may match and do. `draft.ts` and `actions.ts` derive the types of
 * flows from rows, so a flow that breaks its row does not compile. What a row does not name is not allowed.
 */
import type { FieldName } from '../openflow/index.ts';
import type { RegisterField } from './registers.ts';

/** A priority, or a range of them from the lowest to the highest. */
export type Band = number | readonly [lowest: number, highest: number];

export interface TableRow {
  readonly id: number;
  readonly match: readonly FieldName[];
  /** Priorities by name, from the highest to the lowest. */
  readonly bands: Readonly<Record<string, Band>>;
  /** Tables behind `goto_table`. */
  readonly next?: readonly string[];
  /** Registers that are set to constants. */
  readonly load?: readonly RegisterField[];
  /** Fields that are moved to themselves, which un-wildcards them (see whole-fields.ts). */
  readonly unwildcard?: readonly FieldName[];
  /** Header fields that `set_field` and `move` write. */
  readonly rewrite?: readonly FieldName[];
  /** Tables behind a `ct` with a table. */
  readonly lookup?: readonly string[];
  /** Tables behind `resubmit`. */
  readonly resubmit?: readonly string[];
  /** Tables that `learn` fills. */
  readonly learn?: readonly string[];
  readonly output?: readonly ('port' | 'in_port' | 'controller' | 'copy')[];
  readonly uses?: readonly (
    | 'meter'
    | 'clone'
    | 'commit'
    | 'mpls'
    | 'ct_clear'
    | 'dec_ttl'
    | 'vlan'
    | 'check_pkt_larger'
  )[];
  /**
   * Bands, or `all`, whose flows do not decide who may talk to whom: they answer, limit, mark, un-wildcard, or choose what is
   * tracked. A change of them forbids no connection (tightening/). All other flows are compared.
   */
  readonly neutral?: 'all' | readonly string[];
  /** `switch`: its flows come from `learn`. The applier neither compares nor removes them. */
  readonly owner?: 'switch';
}
