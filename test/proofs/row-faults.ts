/**
 * Whether a flow keeps to its table's row, asked of the flow as the switch gets it. The row types of src/pipeline say
 * the same at compile time; this is the other account, by the encoded actions.
 */
import { type Action, type Flow, ports } from '../../src/openflow/index.ts';
import type { Provenance } from '../../src/pipeline/draft.ts';
import type { TableRow } from '../../src/pipeline/rows.ts';
import { tableNames, tables } from '../../src/pipeline/tables.ts';

const nameOf = (id: number | undefined): string => tableNames.get(id ?? -1) ?? `table ${id}`;
const has = (list: readonly string[] | undefined, value: string): boolean => list?.includes(value) ?? false;

function outputKind(port: number): string {
  if (port === ports.inPort) return 'in_port';
  return port === ports.controller ? 'controller' : 'port';
}

/** OpenFlow's metadata is one register more. */
const isRegister = (field: string): boolean => field.startsWith('reg') || field === 'metadata';

/** What an action needs the row to list: the list's name and the value. */
function needsOf(action: Action): [keyof TableRow, string][] {
  switch (action.type) {
    case 'set_field':
      return [[isRegister(action.field) ? 'load' : 'rewrite', action.field]];
    case 'move': {
      const { from, to } = action;
      const same = from.field === to.field && from.offset === to.offset && from.bits === to.bits;
      return [[same ? 'unwildcard' : 'rewrite', to.field]];
    }
    case 'resubmit':
      return [['resubmit', nameOf(action.table)]];
    case 'ct':
      return [
        ...(action.table === undefined ? [] : [['lookup', nameOf(action.table)] as [keyof TableRow, string]]),
        ...(action.commit === true ? [['uses', 'commit'] as [keyof TableRow, string]] : []),
      ];
    case 'clone':
      return [['uses', 'clone'], ...action.actions.flatMap(needsOf)];
    case 'meter':
      return [['uses', 'meter']];
    case 'push_mpls':
    case 'pop_mpls':
      return [['uses', 'mpls']];
    case 'push_vlan':
    case 'pop_vlan':
      return [['uses', 'vlan']];
    case 'output':
      return [['output', outputKind(action.port)]];
    case 'output_trunc':
      return [['output', 'copy']];
    case 'controller':
      return [['output', 'controller']];
    case 'learn':
      return [['learn', nameOf(action.learn.table)]];
    case 'conjunction':
      return [['bands', 'clause']];
    default:
      return [['uses', action.type]];
  }
}

function lists(row: TableRow, key: keyof TableRow, value: string): boolean {
  if (key === 'bands') return value in row.bands;
  const list = row[key];
  return Array.isArray(list) && has(list, value);
}

const changesNothing = (action: Action): boolean =>
  action.type === 'move' && needsOf(action)[0]?.[0] === 'unwildcard';

/** Everything in which a flow breaks its row; empty when it keeps to it. */
export function rowFaults(flow: Flow, why: Provenance | undefined): string[] {
  const name = tableNames.get(flow.table);
  if (name === undefined) return [`no table ${flow.table}`];
  const row: TableRow = tables[name];
  const faults: string[] = [];
  for (const field of Object.keys(flow.match))
    if (!has(row.match, field)) faults.push(`${name} matches ${field}`);
  const inBand = Object.values(row.bands).some((band) => {
    const [lowest, highest] = typeof band === 'number' ? [band, band] : band;
    return flow.priority >= lowest && flow.priority <= highest;
  });
  if (!inBand) faults.push(`${name} has no band for priority ${flow.priority}`);
  if (flow.goto !== undefined && !has(row.next, nameOf(flow.goto)))
    faults.push(`${name} goes to ${nameOf(flow.goto)}`);
  if (flow.goto !== undefined && flow.goto <= flow.table) faults.push(`${name} goes back`);
  for (const action of flow.actions)
    for (const [key, value] of needsOf(action))
      if (!lists(row, key, value)) faults.push(`${name} does ${action.type}: ${key} ${value}`);
  if (why?.stage !== name) faults.push(`${name} has a flow of ${why?.stage}`);
  // Of a claim that ends, the agent may get a copy.
  const isClaim = why !== undefined && ['claim-known', 'claim-held'].includes(why.reason);
  const does = flow.actions.filter((action) => !(isClaim && action.type === 'controller'));
  const ends = flow.goto === undefined && does.every(changesNothing);
  const isDrop = why?.drop !== undefined;
  const isEnd = isClaim || why?.reason === 'own-echo';
  if (ends !== (isDrop || isEnd))
    faults.push(`${name} ${ends ? 'ends packets' : 'goes on'} as ${why?.reason}`);
  return faults;
}
