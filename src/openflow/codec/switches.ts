/** A switch's description of itself on the wire: ports, tables, features, description. */
import type { Reader, Writer } from '../../base/bytes.ts';
import type {
  Aggregate,
  Features,
  PortDescription,
  SwitchDescription,
  TableDescription,
  TableFeatures,
  TableStats,
} from '../message.ts';
import { tableCommands } from '../spec/numbers.ts';
import { copyOf, malformed, namesOf, unencodable } from './fault.ts';
import { putCounters, takeCounters } from './flows.ts';

const tableCommandOf = namesOf(tableCommands);
const portNameLength = 16;
const tableNameLength = 32;

/** A string in a field of fixed size, zero-terminated. */
function putText(w: Writer, text: string, size: number): void {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length >= size) unencodable(`${JSON.stringify(text)} is longer than ${size - 1} bytes`);
  w.bytes(bytes).zeros(size - bytes.length);
}

function takeText(r: Reader, size: number): string {
  const bytes = r.bytes(size);
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end === -1 ? size : end);
}

export function putPort(w: Writer, port: PortDescription): void {
  const start = w.length;
  w.u32(port.port).u16(0).zeros(2).uint(port.mac, 6).zeros(2);
  putText(w, port.name, portNameLength);
  w.u32(port.config).u32(port.state);
  if (port.properties !== undefined) w.bytes(port.properties);
  w.patchU16(start + 4, w.length - start);
}

export function takePort(stream: Reader): PortDescription {
  const at = stream.offset;
  const port = stream.u32();
  const length = stream.u16();
  if (length < 40) malformed(at, 'port');
  const r = stream.window(length - 6);
  r.skip(2);
  const mac = r.uint(6);
  r.skip(2);
  const name = takeText(r, portNameLength);
  const config = r.u32();
  const state = r.u32();
  const fixed = { port, mac, name, config, state };
  return r.left === 0 ? fixed : { ...fixed, properties: copyOf(r.rest()) };
}

export function putFeatures(w: Writer, features: Features): void {
  w.u64(features.datapathId).u32(features.buffers).u8(features.tables).u8(features.auxiliaryId).zeros(2);
  w.u32(features.capabilities).u32(0);
}

export function takeFeatures(r: Reader): Features {
  const datapathId = r.u64();
  const buffers = r.u32();
  const tables = r.u8();
  const auxiliaryId = r.u8();
  r.skip(2);
  const capabilities = r.u32();
  r.skip(4);
  return { type: 'features_reply', datapathId, buffers, tables, auxiliaryId, capabilities };
}

export function putDescription(w: Writer, description: SwitchDescription): void {
  putText(w, description.manufacturer, 256);
  putText(w, description.hardware, 256);
  putText(w, description.software, 256);
  putText(w, description.serial, 32);
  putText(w, description.datapath, 256);
}

export function takeDescription(r: Reader): SwitchDescription {
  const manufacturer = takeText(r, 256);
  const hardware = takeText(r, 256);
  const software = takeText(r, 256);
  const serial = takeText(r, 32);
  return { manufacturer, hardware, software, serial, datapath: takeText(r, 256) };
}

/** OpenFlow 1.5 reports an aggregate in the TLVs of flow statistics. */
export function putAggregate(w: Writer, { packets, bytes, flows }: Aggregate): void {
  putCounters(w, { packets, bytes, flows, duration: 0 });
}

export function takeAggregate(r: Reader): Aggregate {
  const { packets, bytes, flows } = takeCounters(r);
  return { packets, bytes, flows };
}

export function putTableStats(w: Writer, stats: TableStats): void {
  w.u8(stats.table).zeros(3).u32(stats.active).u64(stats.lookups).u64(stats.matches);
}

export function takeTableStats(r: Reader): TableStats {
  const table = r.u8();
  r.skip(3);
  return { table, active: r.u32(), lookups: r.u64(), matches: r.u64() };
}

export function putTableDescription(w: Writer, description: TableDescription): void {
  const start = w.length;
  w.u16(0).u8(description.table).u8(0).u32(description.config);
  if (description.properties !== undefined) w.bytes(description.properties);
  w.patchU16(start, w.length - start);
}

export function takeTableDescription(stream: Reader): TableDescription {
  const at = stream.offset;
  const length = stream.u16();
  if (length < 8) malformed(at, 'table description');
  const r = stream.window(length - 2);
  const table = r.u8();
  r.skip(1);
  const config = r.u32();
  return r.left === 0 ? { table, config } : { table, config, properties: copyOf(r.rest()) };
}

export function putTableFeatures(w: Writer, features: TableFeatures): void {
  const start = w.length;
  w.u16(0).u8(features.table).u8(tableCommands[features.command]).zeros(4);
  putText(w, features.name, tableNameLength);
  w.u64(features.metadataMatch)
    .u64(features.metadataWrite)
    .u32(features.capabilities)
    .u32(features.maxEntries);
  if (features.properties !== undefined) w.bytes(features.properties);
  w.patchU16(start, w.length - start);
}

export function takeTableFeatures(stream: Reader): TableFeatures {
  const at = stream.offset;
  const length = stream.u16();
  if (length < 64) malformed(at, 'table features');
  const r = stream.window(length - 2);
  const table = r.u8();
  const command = tableCommandOf(r.u8()) ?? malformed(at, 'table command');
  r.skip(4);
  const name = takeText(r, tableNameLength);
  const metadataMatch = r.u64();
  const metadataWrite = r.u64();
  const capabilities = r.u32();
  const maxEntries = r.u32();
  const fixed = { table, command, name, metadataMatch, metadataWrite, capabilities, maxEntries };
  return r.left === 0 ? fixed : { ...fixed, properties: copyOf(r.rest()) };
}
