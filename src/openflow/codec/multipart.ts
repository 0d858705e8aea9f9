/**
 * Multipart requests and replies: one row a kind. A reply's entries are read to the message's end. The
 * session joins the parts of one answer.
 */
import type { Reader, Writer } from '../../base/bytes.ts';
import type { MultipartEntries, MultipartKind, MultipartReply, MultipartRequest } from '../message.ts';
import { allGroups, allMeters, multipartKinds, ports } from '../spec/numbers.ts';
import { malformed, namesOf } from './fault.ts';
import { putFlowMonitor, putFlowUpdate, takeFlowMonitor, takeFlowUpdate } from './flow-monitors.ts';
import { putFlowFilter, putFlowStats, takeFlowFilter, takeFlowStats } from './flows.ts';
import * as groups from './groups.ts';
import * as switches from './switches.ts';

interface EntryCodec<E> {
  readonly put: (w: Writer, entry: E) => void;
  readonly take: (r: Reader) => E;
}

const entries: { readonly [K in MultipartKind]: EntryCodec<MultipartEntries[K]> } = {
  desc: { put: switches.putDescription, take: switches.takeDescription },
  flow: { put: putFlowStats, take: takeFlowStats },
  aggregate: { put: switches.putAggregate, take: switches.takeAggregate },
  table: { put: switches.putTableStats, take: switches.takeTableStats },
  group: { put: groups.putGroupStats, take: groups.takeGroupStats },
  group_desc: { put: groups.putGroupDescription, take: groups.takeGroupDescription },
  group_features: { put: groups.putGroupFeatures, take: groups.takeGroupFeatures },
  meter: { put: groups.putMeterStats, take: groups.takeMeterStats },
  meter_config: { put: groups.putMeterConfig, take: groups.takeMeterConfig },
  meter_features: { put: groups.putMeterFeatures, take: groups.takeMeterFeatures },
  table_features: { put: switches.putTableFeatures, take: switches.takeTableFeatures },
  port_desc: { put: switches.putPort, take: switches.takePort },
  table_desc: { put: switches.putTableDescription, take: switches.takeTableDescription },
  flow_monitor: { put: putFlowUpdate, take: takeFlowUpdate },
};

export const kindOf = namesOf(multipartKinds);

export function putMultipartReply(w: Writer, { kind, entries: list }: MultipartReply): void {
  const codec = entries[kind] as EntryCodec<unknown>;
  for (const entry of list) codec.put(w, entry);
}

export function takeMultipartReply(r: Reader, kind: MultipartKind): MultipartReply {
  const codec = entries[kind] as EntryCodec<unknown>;
  const list: unknown[] = [];
  while (r.left > 0) {
    const at = r.offset;
    list.push(codec.take(r));
    if (r.offset === at) malformed(at, kind);
  }
  return { kind, entries: list } as MultipartReply;
}

export function putMultipartRequest(w: Writer, request: MultipartRequest): void {
  switch (request.kind) {
    case 'flow':
    case 'aggregate':
      putFlowFilter(w, request.filter);
      return;
    case 'port_desc':
      w.u32(request.port ?? ports.any).zeros(4);
      return;
    case 'group':
    case 'group_desc':
      w.u32(request.group ?? allGroups).zeros(4);
      return;
    case 'meter':
    case 'meter_config':
      w.u32(request.meter ?? allMeters).zeros(4);
      return;
    case 'table_features':
      for (const table of request.tables) switches.putTableFeatures(w, table);
      return;
    case 'flow_monitor':
      putFlowMonitor(w, request);
      return;
    default:
      return;
  }
}

export function takeMultipartRequest(r: Reader, kind: MultipartKind): MultipartRequest {
  const numbered = (key: 'port' | 'group' | 'meter', all: number): object => {
    const value = r.u32();
    r.skip(4);
    return value === all ? {} : { [key]: value };
  };
  switch (kind) {
    case 'flow':
    case 'aggregate':
      return { kind, filter: takeFlowFilter(r) };
    case 'port_desc':
      return { kind, ...numbered('port', ports.any) };
    case 'group':
    case 'group_desc':
      return { kind, ...numbered('group', allGroups) };
    case 'meter':
    case 'meter_config':
      return { kind, ...numbered('meter', allMeters) };
    case 'table_features': {
      const { entries: tables } = takeMultipartReply(r, kind) as Extract<
        MultipartReply,
        { kind: 'table_features' }
      >;
      return { kind, tables };
    }
    case 'flow_monitor':
      return takeFlowMonitor(r);
    default:
      return { kind };
  }
}
