/** Nicira's experimenter messages: one row a subtype, with its body. */
import type { Reader, Writer } from '../../base/bytes.ts';
import type { CtFlush, CtTuple, Message, TlvMapping } from '../message.ts';
import { ctFlushProperties, ctTupleProperties, niciraMessages, tlvCommands } from '../spec/nicira.ts';
import { malformed, namesOf } from './fault.ts';
import { putPacketIn2, takePacketIn2 } from './packets.ts';
import { putNested, putProperty, putProperty16, takeProperties } from './properties.ts';

type MessageOf<T extends Message['type']> = Extract<Message, { type: T }>;
type NiciraType = 'packet_in' | Exclude<keyof typeof niciraMessages, 'packet_in2'>;

const tlvCommandOf = namesOf(tlvCommands);

const tuplePorts = ['srcPort', 'dstPort', 'icmpId'] as const;
const tupleBytes = ['icmpType', 'icmpCode'] as const;

function putTuple(w: Writer, tuple: CtTuple): void {
  for (const key of ['src', 'dst'] as const) {
    const value = tuple[key];
    if (value !== undefined) putProperty(w, ctTupleProperties[key], (p) => p.uint(value, 16));
  }
  for (const key of tuplePorts) {
    const value = tuple[key];
    if (value !== undefined) putProperty16(w, ctTupleProperties[key], value);
  }
  for (const key of tupleBytes) {
    const value = tuple[key];
    if (value !== undefined) putProperty(w, ctTupleProperties[key], (p) => p.u8(value));
  }
}

const tupleKeyOf = namesOf(ctTupleProperties);

function takeTuple(r: Reader): CtTuple {
  const tuple: { -readonly [K in keyof CtTuple]: CtTuple[K] } = {};
  r.skip(4);
  takeProperties(r, (type, value) => {
    const key = tupleKeyOf(type);
    if (key === undefined) return false;
    if (key === 'src' || key === 'dst') tuple[key] = value.uint(16);
    else tuple[key] = key === 'icmpType' || key === 'icmpCode' ? value.u8() : value.u16();
    return true;
  });
  return tuple;
}

function putCtFlush(w: Writer, flush: CtFlush): void {
  const { original, reply, zone } = flush;
  w.u8(flush.protocol).zeros(7);
  if (original !== undefined) putNested(w, ctFlushProperties.original, (p) => putTuple(p, original));
  if (reply !== undefined) putNested(w, ctFlushProperties.reply, (p) => putTuple(p, reply));
  if (zone !== undefined) putProperty16(w, ctFlushProperties.zone, zone);
  if (flush.otherProperties !== undefined) w.bytes(flush.otherProperties);
}

function takeCtFlush(r: Reader): CtFlush {
  const flush: { -readonly [K in keyof CtFlush]: CtFlush[K] } = { type: 'ct_flush', protocol: r.u8() };
  r.skip(7);
  const unknown = takeProperties(r, (type, value) => {
    if (type === ctFlushProperties.original) flush.original = takeTuple(value);
    else if (type === ctFlushProperties.reply) flush.reply = takeTuple(value);
    else if (type === ctFlushProperties.zone) flush.zone = value.u16();
    else return false;
    return true;
  });
  if (unknown !== undefined) flush.otherProperties = unknown;
  return flush;
}

function takeMapping(r: Reader): TlvMapping {
  const mapping = { optionClass: r.u16(), optionType: r.u8(), length: r.u8(), index: r.u16() };
  r.skip(2);
  return mapping;
}

function putMappings(w: Writer, mappings: readonly TlvMapping[]): void {
  for (const { optionClass, optionType, length, index } of mappings)
    w.u16(optionClass).u8(optionType).u8(length).u16(index).zeros(2);
}

function takeMappings(r: Reader): TlvMapping[] {
  const mappings: TlvMapping[] = [];
  while (r.left > 0) mappings.push(takeMapping(r));
  return mappings;
}

interface Row<T extends NiciraType> {
  readonly subtype: number;
  readonly put: (w: Writer, message: MessageOf<T>) => void;
  readonly take: (r: Reader) => MessageOf<T>;
}

const rows: { readonly [T in NiciraType]: Row<T> } = {
  packet_in: { subtype: niciraMessages.packet_in2, put: putPacketIn2, take: takePacketIn2 },
  ct_flush: { subtype: niciraMessages.ct_flush, put: putCtFlush, take: takeCtFlush },
  ct_flush_zone: {
    subtype: niciraMessages.ct_flush_zone,
    put: (w, { zone }) => void w.zeros(6).u16(zone),
    take: (r) => {
      r.skip(6);
      return { type: 'ct_flush_zone', zone: r.u16() };
    },
  },
  set_packet_in_format: {
    subtype: niciraMessages.set_packet_in_format,
    put: (w, { format }) => void w.u32(format),
    take: (r) => ({ type: 'set_packet_in_format', format: r.u32() }),
  },
  set_controller_id: {
    subtype: niciraMessages.set_controller_id,
    put: (w, { id }) => void w.zeros(6).u16(id),
    take: (r) => {
      r.skip(6);
      return { type: 'set_controller_id', id: r.u16() };
    },
  },
  set_async_config: {
    subtype: niciraMessages.set_async_config,
    put: (w, { packetIn, portStatus, flowRemoved }) => {
      for (const mask of [...packetIn, ...portStatus, ...flowRemoved]) w.u32(mask);
    },
    take: (r) => ({
      type: 'set_async_config',
      packetIn: [r.u32(), r.u32()],
      portStatus: [r.u32(), r.u32()],
      flowRemoved: [r.u32(), r.u32()],
    }),
  },
  tlv_table_mod: {
    subtype: niciraMessages.tlv_table_mod,
    put: (w, { command, mappings }) => {
      w.u16(tlvCommands[command]).zeros(6);
      putMappings(w, mappings);
    },
    take: (r) => {
      const at = r.offset;
      const command = tlvCommandOf(r.u16()) ?? malformed(at, 'tlv command');
      r.skip(6);
      return { type: 'tlv_table_mod', command, mappings: takeMappings(r) };
    },
  },
  tlv_table_request: {
    subtype: niciraMessages.tlv_table_request,
    put: () => undefined,
    take: () => ({ type: 'tlv_table_request' }),
  },
  tlv_table_reply: {
    subtype: niciraMessages.tlv_table_reply,
    put: (w, { maxOptionSpace, maxFields, mappings }) => {
      w.u32(maxOptionSpace).u16(maxFields).zeros(10);
      putMappings(w, mappings);
    },
    take: (r) => {
      const limits = { maxOptionSpace: r.u32(), maxFields: r.u16() };
      r.skip(10);
      return { type: 'tlv_table_reply', ...limits, mappings: takeMappings(r) };
    },
  },
};

interface NiciraCodec<T extends NiciraType = NiciraType> {
  readonly type: T;
  readonly subtype: number;
  /** Writes only a message of the row's type. */
  readonly put: (w: Writer, message: Message) => void;
  readonly take: (r: Reader) => Message;
}

const isOf = <T extends NiciraType>(message: Message, type: T): message is MessageOf<T> =>
  message.type === type;

function codecOf<T extends NiciraType>(type: T): NiciraCodec<T> {
  const { subtype, put, take }: Row<T> = rows[type];
  return {
    type,
    subtype,
    put: (w, message) => {
      if (isOf(message, type)) put(w, message);
    },
    take,
  };
}

const codecs = (Object.keys(rows) as NiciraType[]).map((type) => codecOf(type));
const byType = new Map<Message['type'], NiciraCodec>(codecs.map((codec) => [codec.type, codec]));
const bySubtype = new Map<number, NiciraCodec>(codecs.map((codec) => [codec.subtype, codec]));

/** The row of a message type that Nicira's extension carries. */
export const niciraCodecOf = (type: Message['type']): NiciraCodec | undefined => byType.get(type);

/** Reads the body of a subtype; undefined when no row knows the subtype. */
export const takeNicira = (r: Reader, subtype: number): Message | undefined =>
  bySubtype.get(subtype)?.take(r);
