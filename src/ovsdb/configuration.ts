/**
 * Changes of a switch's database as operations: a bridge, its ports, its external_ids. Each function compares
 * with the given rows and returns no operation when nothing has to change. Where another writer could
 * interfere, a `wait` makes the whole transaction fail instead of half-applying.
 */
import { bug } from '../base/errors.ts';
import type { OvsdbRow, OvsdbTable, RowSource } from './schema.ts';
import {
  type Mutation,
  mapOf,
  namedUuid,
  type Operation,
  setOf,
  uuidAtom,
  type WireRow,
  type WireValue,
} from './transaction.ts';

export interface BridgeSpec {
  readonly name: string;
  /** `netdev` for the userspace datapath, `system` for the kernel's; unchanged when absent. */
  readonly datapathType?: string;
  readonly failMode?: 'secure' | 'standalone';
  /** OpenFlow controllers that the bridge connects to by itself. The empty list is the only supported value. */
  readonly controllers?: 'none';
  /** OpenFlow versions that the bridge must speak, such as `OpenFlow15`, in addition to those that are set. */
  readonly protocols?: readonly string[];
  /** Keys to set; the other keys stay. */
  readonly externalIds?: Readonly<Record<string, string>>;
  readonly otherConfig?: Readonly<Record<string, string>>;
}

export interface PortSpec {
  readonly bridge: string;
  /** Of the port and of its one interface. */
  readonly name: string;
  /** Interface type; the empty string names an existing network device. */
  readonly type?: string;
  readonly options?: Readonly<Record<string, string>>;
  /** Of the interface: `iface-id`, `attached-mac` and so on. */
  readonly externalIds?: Readonly<Record<string, string>>;
  readonly ofportRequest?: number;
}

export function findByName<T extends 'Bridge' | 'Port' | 'Interface'>(
  source: RowSource,
  table: T,
  name: string,
): { readonly uuid: string; readonly row: OvsdbRow<T> } | undefined {
  for (const [id, row] of source.rows(table))
    if ((row as { readonly name: string }).name === name) return { uuid: id, row };
  return undefined;
}

/** Makes the bridge, with its internal port, or brings an existing one to the specification. */
export function ensureBridge(source: RowSource, spec: BridgeSpec): readonly Operation[] {
  const found = findByName(source, 'Bridge', spec.name);
  return found ? adjustBridge(found.row, spec) : createBridge(spec);
}

/**
 * The versions to set so that the bridge speaks all of `wanted`. An empty column means the switch's defaults.
 * Setting one version would narrow them, so the versions of the usual tools are set too.
 */
function protocolsWith(wanted: readonly string[], set: readonly string[]): readonly string[] {
  const usual = ['OpenFlow10', 'OpenFlow11', 'OpenFlow12', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'];
  const present = set.length > 0 ? set : usual;
  return [...new Set([...present, ...wanted])].sort();
}

function createBridge(spec: BridgeSpec): readonly Operation[] {
  const { name, datapathType, failMode, protocols = [], externalIds = {}, otherConfig = {} } = spec;
  const row: Record<string, WireValue> = {
    name,
    ports: namedUuid('port'),
    external_ids: mapOf(Object.entries(externalIds)),
    other_config: mapOf(Object.entries(otherConfig)),
  };
  if (datapathType !== undefined) row.datapath_type = datapathType;
  if (failMode !== undefined) row.fail_mode = failMode;
  if (protocols.length > 0) row.protocols = setOf(protocolsWith(protocols, []));
  return [
    mustNotExist('Bridge', name),
    { op: 'insert', table: 'Interface', row: { name, type: 'internal' }, 'uuid-name': 'interface' },
    { op: 'insert', table: 'Port', row: { name, interfaces: namedUuid('interface') }, 'uuid-name': 'port' },
    { op: 'insert', table: 'Bridge', row, 'uuid-name': 'bridge' },
    {
      op: 'mutate',
      table: 'Open_vSwitch',
      where: [],
      mutations: [['bridges', 'insert', setOf([namedUuid('bridge')])]],
    },
  ];
}

export type BridgeColumn = 'datapath_type' | 'fail_mode' | 'controller' | 'protocols';

/** The columns of a bridge that differ from the specification, with the values to set. */
export function bridgeDifferences(
  held: OvsdbRow<'Bridge'>,
  { datapathType, failMode, controllers, protocols = [] }: BridgeSpec,
): Partial<Record<BridgeColumn, WireValue>> {
  const row: Partial<Record<BridgeColumn, WireValue>> = {};
  if (datapathType !== undefined && datapathType !== held.datapath_type) row.datapath_type = datapathType;
  if (failMode !== undefined && failMode !== held.fail_mode) row.fail_mode = failMode;
  if (controllers === 'none' && held.controller.length > 0) row.controller = setOf([]);
  if (held.protocols.length > 0 && !protocols.every((version) => held.protocols.includes(version)))
    row.protocols = setOf(protocolsWith(protocols, held.protocols));
  return row;
}

function adjustBridge(held: OvsdbRow<'Bridge'>, spec: BridgeSpec): readonly Operation[] {
  const { name, externalIds = {}, otherConfig = {} } = spec;
  const row = bridgeDifferences(held, spec);
  const where = [['name', '==', name]] as const;
  const mutations = [
    ...mapMutations('external_ids', held.external_ids, externalIds),
    ...mapMutations('other_config', held.other_config, otherConfig),
  ];
  const changes: Operation[] = [];
  if (Object.keys(row).length > 0) changes.push({ op: 'update', table: 'Bridge', where, row });
  if (mutations.length > 0) changes.push({ op: 'mutate', table: 'Bridge', where, mutations });
  return changes.length > 0 ? [mustExist('Bridge', name), ...changes] : [];
}

/** Sets keys of a bridge's external_ids; null removes a key. The other keys stay as they are. */
export function setBridgeExternalIds(
  source: RowSource,
  bridge: string,
  entries: Readonly<Record<string, string | null>>,
): readonly Operation[] {
  const held = findByName(source, 'Bridge', bridge)?.row.external_ids ?? new Map<string, string>();
  const mutations = mapMutations('external_ids', held, entries);
  if (mutations.length === 0) return [];
  const where = [['name', '==', bridge]] as const;
  return [mustExist('Bridge', bridge), { op: 'mutate', table: 'Bridge', where, mutations }];
}

/** Adds a port with one interface. A name that is in use anywhere in the switch fails the transaction. */
export function addPort(spec: PortSpec): readonly Operation[] {
  const { bridge, name, type = '', options = {}, externalIds = {}, ofportRequest } = spec;
  const row: Record<string, WireValue> = {
    name,
    type,
    options: mapOf(Object.entries(options)),
    external_ids: mapOf(Object.entries(externalIds)),
  };
  if (ofportRequest !== undefined) row.ofport_request = ofportRequest;
  return [
    mustExist('Bridge', bridge),
    { op: 'insert', table: 'Interface', row, 'uuid-name': 'interface' },
    { op: 'insert', table: 'Port', row: { name, interfaces: namedUuid('interface') }, 'uuid-name': 'port' },
    {
      op: 'mutate',
      table: 'Bridge',
      where: [['name', '==', bridge]],
      mutations: [['ports', 'insert', setOf([namedUuid('port')])]],
    },
  ];
}

/** Gives the one interface of a port its type and options; options that the specification does not name stay. */
export function adjustInterface(
  source: RowSource,
  { name, type = '', options = {}, externalIds = {} }: PortSpec,
): readonly Operation[] {
  const held = findByName(source, 'Interface', name)?.row;
  if (held === undefined) return [];
  const where = [['name', '==', name]] as const;
  const mutations = [
    ...mapMutations('options', held.options, options),
    ...mapMutations('external_ids', held.external_ids, externalIds),
  ];
  const changes: Operation[] = [];
  if (type !== held.type) changes.push({ op: 'update', table: 'Interface', where, row: { type } });
  if (mutations.length > 0) changes.push({ op: 'mutate', table: 'Interface', where, mutations });
  return changes.length > 0 ? [mustExist('Interface', name), ...changes] : [];
}

/** Removes a port from its bridge. Its rows go with the last reference. Does nothing when there is no such port. */
export function removePort(source: RowSource, name: string): readonly Operation[] {
  const port = findByName(source, 'Port', name);
  if (!port) return [];
  const reference = setOf([uuidAtom(port.uuid)]);
  return [
    {
      op: 'mutate',
      table: 'Bridge',
      where: [['ports', 'includes', reference]],
      mutations: [['ports', 'delete', reference]],
    },
  ];
}

/** Removes a bridge with all its ports from the switch. Does nothing when there is no such bridge. */
export function removeBridge(source: RowSource, name: string): readonly Operation[] {
  const bridge = findByName(source, 'Bridge', name);
  if (!bridge) return [];
  const reference = setOf([uuidAtom(bridge.uuid)]);
  return [{ op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['bridges', 'delete', reference]] }];
}

/** Makes the switch apply the change. The last result is the number that its cur_cfg has to reach. */
export const requestConfiguration: readonly Operation[] = [
  { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['next_cfg', '+=', 1]] },
  { op: 'select', table: 'Open_vSwitch', where: [], columns: ['next_cfg'] },
];

function mapMutations(
  column: string,
  held: ReadonlyMap<string, string>,
  entries: Readonly<Record<string, string | null>>,
): readonly Mutation[] {
  const wanted = Object.entries(entries).filter(([key, value]) => (held.get(key) ?? null) !== value);
  if (wanted.length === 0) return [];
  const set = wanted.flatMap(([key, value]) => (value === null ? [] : [[key, value] as const]));
  // An insert does not change a key that is present, so every key is deleted first.
  return [
    [column, 'delete', setOf(wanted.map(([key]) => key))],
    [column, 'insert', mapOf(set)],
  ];
}

function mustExist(table: OvsdbTable, name: string): Operation {
  return waitForName(table, name, [{ name }]);
}

function mustNotExist(table: OvsdbTable, name: string): Operation {
  return waitForName(table, name, []);
}

function waitForName(table: OvsdbTable, name: string, rows: readonly WireRow[]): Operation {
  if (name === '') bug(`a ${table} needs a name`);
  const where = [['name', '==', name]] as const;
  return { op: 'wait', table, where, columns: ['name'], until: '==', rows, timeout: 0 };
}
