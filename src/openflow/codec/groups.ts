/** Groups and meters on the wire: their mods, descriptions, statistics and features. */
import type { Reader, Writer } from '../../base/bytes.ts';
import type {
  Bucket,
  Counter,
  GroupDescription,
  GroupFeatures,
  GroupMod,
  GroupStats,
  MeterBand,
  MeterConfig,
  MeterFeatures,
  MeterMod,
  MeterStats,
} from '../message.ts';
import { bucketIds, groupCommands, groupTypes, meterBands, meterCommands } from '../spec/numbers.ts';
import { putActions, takeActions } from './actions.ts';
import { copyOf, malformed, namesOf } from './fault.ts';
import { putProperty, putProperty16, takeProperties } from './properties.ts';

const groupCommandOf = namesOf(groupCommands);
const groupTypeOf = namesOf(groupTypes);
const meterCommandOf = namesOf(meterCommands);

const bucketProperties = { weight: 0, watchPort: 1, watchGroup: 2 } as const;

const restOf = (r: Reader): { readonly properties?: Uint8Array } =>
  r.left === 0 ? {} : { properties: copyOf(r.rest()) };

function putBucket(w: Writer, bucket: Bucket): void {
  const start = w.length;
  w.u16(0).u16(0).u32(bucket.id);
  putActions(w, bucket.actions);
  w.patchU16(start + 2, w.length - start - 8);
  for (const key of ['weight', 'watchPort', 'watchGroup'] as const) {
    const value = bucket[key];
    if (value === undefined) continue;
    if (key === 'weight') putProperty16(w, bucketProperties.weight, value);
    else putProperty(w, bucketProperties[key], (p) => p.u32(value));
  }
  if (bucket.otherProperties !== undefined) w.bytes(bucket.otherProperties);
  w.patchU16(start, w.length - start);
}

function takeBucket(r: Reader): Bucket {
  const at = r.offset;
  const length = r.u16();
  const actionsLength = r.u16();
  if (length < 8) malformed(at, 'bucket');
  const body = r.window(length - 4);
  const id = body.u32();
  const bucket: { -readonly [K in keyof Bucket]: Bucket[K] } = {
    id,
    actions: takeActions(body.window(actionsLength)),
  };
  const unknown = takeProperties(body, (type, value) => {
    if (type === bucketProperties.weight) bucket.weight = value.u16();
    else if (type === bucketProperties.watchPort) bucket.watchPort = value.u32();
    else if (type === bucketProperties.watchGroup) bucket.watchGroup = value.u32();
    else return false;
    return true;
  });
  if (unknown !== undefined) bucket.otherProperties = unknown;
  return bucket;
}

function takeBuckets(r: Reader): Bucket[] {
  const buckets: Bucket[] = [];
  while (r.left > 0) buckets.push(takeBucket(r));
  return buckets;
}

export function putGroupMod(w: Writer, mod: GroupMod): void {
  w.u16(groupCommands[mod.command]).u8(groupTypes[mod.groupType]).u8(0).u32(mod.group);
  const at = w.length;
  w.u16(0)
    .zeros(2)
    .u32(mod.bucketId ?? bucketIds.all);
  const start = w.length;
  for (const bucket of mod.buckets) putBucket(w, bucket);
  w.patchU16(at, w.length - start);
  if (mod.properties !== undefined) w.bytes(mod.properties);
}

export function takeGroupMod(r: Reader): GroupMod {
  const at = r.offset;
  const command = groupCommandOf(r.u16()) ?? malformed(at, 'group command');
  const groupType = groupTypeOf(r.u8()) ?? malformed(at, 'group type');
  r.skip(1);
  const group = r.u32();
  const bucketsLength = r.u16();
  r.skip(2);
  const bucketId = r.u32();
  const buckets = takeBuckets(r.window(bucketsLength));
  const named = bucketId === bucketIds.all ? {} : { bucketId };
  return { type: 'group_mod', command, groupType, group, buckets, ...named, ...restOf(r) };
}

export function putGroupDescription(w: Writer, group: GroupDescription): void {
  const start = w.length;
  w.u16(0).u8(groupTypes[group.groupType]).u8(0).u32(group.group).u16(0).zeros(6);
  const first = w.length;
  for (const bucket of group.buckets) putBucket(w, bucket);
  w.patchU16(start + 8, w.length - first);
  if (group.properties !== undefined) w.bytes(group.properties);
  w.patchU16(start, w.length - start);
}

export function takeGroupDescription(stream: Reader): GroupDescription {
  const at = stream.offset;
  const length = stream.u16();
  if (length < 16) malformed(at, 'group description');
  const r = stream.window(length - 2);
  const groupType = groupTypeOf(r.u8()) ?? malformed(at, 'group type');
  r.skip(1);
  const group = r.u32();
  const bucketsLength = r.u16();
  r.skip(6);
  const buckets = takeBuckets(r.window(bucketsLength));
  return { group, groupType, buckets, ...restOf(r) };
}

const putCounter = (w: Writer, { packets, bytes }: Counter): void => void w.u64(packets).u64(bytes);
const takeCounter = (r: Reader): Counter => ({ packets: r.u64(), bytes: r.u64() });

function takeCountersToEnd(r: Reader): Counter[] {
  const counters: Counter[] = [];
  while (r.left > 0) counters.push(takeCounter(r));
  return counters;
}

function putDuration(w: Writer, duration: number): void {
  const seconds = Math.floor(duration);
  w.u32(seconds).u32(Math.round((duration - seconds) * 1e9));
}
const takeDuration = (r: Reader): number => r.u32() + r.u32() / 1e9;

export function putGroupStats(w: Writer, stats: GroupStats): void {
  const start = w.length;
  w.u16(0).zeros(2).u32(stats.group).u32(stats.references).zeros(4);
  putCounter(w, stats);
  putDuration(w, stats.duration);
  for (const bucket of stats.buckets) putCounter(w, bucket);
  w.patchU16(start, w.length - start);
}

export function takeGroupStats(stream: Reader): GroupStats {
  const at = stream.offset;
  const length = stream.u16();
  if (length < 40) malformed(at, 'group statistics');
  const r = stream.window(length - 2);
  r.skip(2);
  const group = r.u32();
  const references = r.u32();
  r.skip(4);
  const counter = takeCounter(r);
  const duration = takeDuration(r);
  return { group, references, ...counter, duration, buckets: takeCountersToEnd(r) };
}

export function putGroupFeatures(w: Writer, features: GroupFeatures): void {
  w.u32(features.types).u32(features.capabilities);
  for (let i = 0; i < 4; i++) w.u32(features.maxGroups[i] ?? 0);
  for (let i = 0; i < 4; i++) w.u32(features.actions[i] ?? 0);
}

export function takeGroupFeatures(r: Reader): GroupFeatures {
  const four = (): number[] => [r.u32(), r.u32(), r.u32(), r.u32()];
  return { types: r.u32(), capabilities: r.u32(), maxGroups: four(), actions: four() };
}

function putBand(w: Writer, band: MeterBand): void {
  if (band.kind === 'raw') {
    w.bytes(band.bytes);
    return;
  }
  w.u16(meterBands[band.kind]).u16(16).u32(band.rate).u32(band.burst);
  w.u8(band.kind === 'dscp_remark' ? band.precedence : 0).zeros(3);
}

function takeBands(r: Reader): MeterBand[] {
  const bands: MeterBand[] = [];
  while (r.left > 0) {
    const start = r.offset;
    const type = r.u16();
    const length = r.u16();
    if (length < 12) malformed(start, 'meter band');
    const body = r.window(length - 4);
    if (length === 16 && type === meterBands.drop)
      bands.push({ kind: 'drop', rate: body.u32(), burst: body.u32() });
    else if (length === 16 && type === meterBands.dscp_remark) {
      bands.push({ kind: 'dscp_remark', rate: body.u32(), burst: body.u32(), precedence: body.u8() });
    } else {
      r.offset = start;
      bands.push({ kind: 'raw', bytes: copyOf(r.bytes(length)) });
    }
  }
  return bands;
}

export function putMeterMod(w: Writer, mod: MeterMod): void {
  w.u16(meterCommands[mod.command]).u16(mod.flags).u32(mod.meter);
  for (const band of mod.bands) putBand(w, band);
}

export function takeMeterMod(r: Reader): MeterMod {
  const at = r.offset;
  const command = meterCommandOf(r.u16()) ?? malformed(at, 'meter command');
  const flags = r.u16();
  const meter = r.u32();
  return { type: 'meter_mod', command, flags, meter, bands: takeBands(r) };
}

export function putMeterConfig(w: Writer, config: MeterConfig): void {
  const start = w.length;
  w.u16(0).u16(config.flags).u32(config.meter);
  for (const band of config.bands) putBand(w, band);
  w.patchU16(start, w.length - start);
}

export function takeMeterConfig(stream: Reader): MeterConfig {
  const at = stream.offset;
  const length = stream.u16();
  if (length < 8) malformed(at, 'meter configuration');
  const r = stream.window(length - 2);
  const flags = r.u16();
  const meter = r.u32();
  return { meter, flags, bands: takeBands(r) };
}

export function putMeterStats(w: Writer, stats: MeterStats): void {
  const start = w.length;
  w.u32(stats.meter).u16(0).zeros(6).u32(stats.flows);
  putCounter(w, stats);
  putDuration(w, stats.duration);
  for (const band of stats.bands) putCounter(w, band);
  w.patchU16(start + 4, w.length - start);
}

export function takeMeterStats(stream: Reader): MeterStats {
  const at = stream.offset;
  const meter = stream.u32();
  const length = stream.u16();
  if (length < 40) malformed(at, 'meter statistics');
  const r = stream.window(length - 6);
  r.skip(6);
  const flows = r.u32();
  const counter = takeCounter(r);
  const duration = takeDuration(r);
  return { meter, flows, ...counter, duration, bands: takeCountersToEnd(r) };
}

export function putMeterFeatures(w: Writer, features: MeterFeatures): void {
  w.u32(features.maxMeters).u32(features.bandTypes).u32(features.capabilities);
  w.u8(features.maxBands).u8(features.maxColors).zeros(2);
}

export function takeMeterFeatures(r: Reader): MeterFeatures {
  const features = {
    maxMeters: r.u32(),
    bandTypes: r.u32(),
    capabilities: r.u32(),
    maxBands: r.u8(),
    maxColors: r.u8(),
  };
  r.skip(2);
  return features;
}
