/**
 * What a flow does with a packet, as far as it decides who may talk: nothing (a drop), the clauses that it stands for, or
 * the ways that the packet goes on. Values only.
 */
import type { Action, FieldBits, Flow, FlowBody } from '../../openflow/index.ts';

/** Loads of registers by name: a number, or text for some bits of one. */
type Loads = ReadonlyMap<string, number | string>;

export interface Way {
  readonly loads: Loads;
  readonly table: number;
}

export type Effect =
  | { readonly kind: 'drop' }
  /** By clause, as text: the id of its conjunction. */
  | { readonly kind: 'clauses'; readonly shares: ReadonlyMap<string, number> }
  /** `rest`: what else it does, as text. */
  | { readonly kind: 'pass'; readonly ways: readonly Way[]; readonly rest: string };

const drop: Effect = { kind: 'drop' };
const noLoads: Loads = new Map();

const textOf = (action: Action): string =>
  JSON.stringify(action, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value));

/** A field that is moved to itself is only un-wildcarded. */
const isUnwildcard = (action: Action): boolean =>
  action.type === 'move' && action.from.field === action.to.field && action.from.offset === action.to.offset;

const loadOf = (value: FieldBits, mask: FieldBits | undefined): number | string =>
  mask === undefined ? Number(value) : `${value}/${mask}`;

function loadsOf(actions: readonly Action[], before: Loads): Loads {
  const loads = new Map(before);
  for (const action of actions)
    if (action.type === 'set_field' && action.field.startsWith('reg'))
      loads.set(action.field, loadOf(action.value, action.mask));
  return loads.size === 0 ? noLoads : loads;
}

/** A copy that goes on at another table with loads of its own; null for other actions. */
function wayOf(action: Action, before: Loads): Way | null {
  if (action.type === 'resubmit') return { loads: before, table: action.table };
  if (action.type !== 'clone') return null;
  const last = action.actions.at(-1);
  const others = action.actions.slice(0, -1);
  if (last?.type !== 'resubmit' || !others.every(({ type }) => type === 'set_field')) return null;
  return { loads: loadsOf(others, before), table: last.table };
}

export function effectOf({ actions, goto }: Pick<FlowBody, 'actions' | 'goto'>): Effect {
  const shares = new Map<string, number>();
  const ways: Way[] = [];
  const rest: string[] = [];
  const loads = loadsOf(actions, noLoads);
  for (const action of actions) {
    if (action.type === 'conjunction') shares.set(`${action.id} ${action.clause}/${action.of}`, action.id);
    else if (action.type === 'set_field' && action.field.startsWith('reg')) continue;
    else if (!isUnwildcard(action)) {
      const way = wayOf(action, loads);
      if (way === null) rest.push(textOf(action));
      else ways.push(way);
    }
  }
  if (shares.size > 0) return { kind: 'clauses', shares };
  if (goto !== undefined) ways.push({ loads, table: goto });
  return ways.length === 0 && rest.length === 0 ? drop : { kind: 'pass', ways, rest: rest.join() };
}

export const effectOrNull = (flow: Flow | null): Effect | null => (flow === null ? null : effectOf(flow));

/** Short text that two flows share only if they do the same; null where that would be long. */
export function signatureOf({ actions, goto }: Pick<FlowBody, 'actions' | 'goto'>): string | null {
  for (const action of actions) {
    if (action.type === 'conjunction') return 'clauses';
    if (!isUnwildcard(action)) return null;
  }
  return goto === undefined ? 'drop' : `goto ${goto}`;
}
