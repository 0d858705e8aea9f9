/** The entry of this folder: other floors import from here only. */
export { Ovsdb, type OvsdbFault, type OvsdbLog, type OvsdbOptions, type TransactOptions } from './client.ts';
export type { ColumnFault, TextMap } from './column.ts';
export {
  addPort,
  adjustInterface,
  type BridgeColumn,
  type BridgeSpec,
  bridgeDifferences,
  ensureBridge,
  findByName,
  type PortSpec,
  removeBridge,
  removePort,
  setBridgeExternalIds,
} from './configuration.ts';
export {
  type ConntrackDump,
  type ConntrackEntry,
  type ConntrackTuple,
  parseConntrack,
  zoneOfLine,
} from './conntrack-dump.ts';
export {
  Control,
  type ControlFault,
  type ControlOptions,
  findControlSocket,
  findSwitchProcess,
} from './control.ts';
export { type DatapathStats, readDatapathStats } from './datapath-stats.ts';
export { datapathTypeOf, isKernelDatapath } from './datapath-type.ts';
export { type MegaflowMasks, readMegaflowMasks } from './megaflow-masks.ts';
export type { MonitorFault, Start } from './monitor.ts';
export type { ReplicaFault } from './replica.ts';
export { type CallOptions, Rpc, type RpcFault, type RpcOptions } from './rpc.ts';
export type { DatabaseUpdate, OvsdbRow, OvsdbTable, RowChange, RowSource } from './schema.ts';
export {
  type Atom,
  type Mutation,
  mapOf,
  namedUuid,
  type Operation,
  type OperationResult,
  type RowCondition,
  setOf,
  type TransactionFault,
  uuidAtom,
  type WireRow,
  type WireValue,
} from './transaction.ts';
