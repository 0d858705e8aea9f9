/**
 * Whole messages: header and body, one row a type. Decoding keeps a type that it does not know (`unknown`,
 * `experimenter`). For a known type with a wrong body it throws `Malformed` or `Truncated`.
 */
import { Reader, Writer } from '../../base/bytes.ts';
import type { BundleMember, Envelope, Message } from '../message.ts';
import { nicira } from '../spec/actions.ts';
import {
  bundleControls,
  headerLength,
  messageTypes,
  multipartKinds,
  ofVersion,
  portReasons,
  roles,
} from '../spec/numbers.ts';
import { copyOf, malformed, namesOf, unencodable } from './fault.ts';
import { putFlowMod, putFlowRemoved, takeFlowMod, takeFlowRemoved } from './flows.ts';
import { putGroupMod, putMeterMod, takeGroupMod, takeMeterMod } from './groups.ts';
import {
  kindOf,
  putMultipartReply,
  putMultipartRequest,
  takeMultipartReply,
  takeMultipartRequest,
} from './multipart.ts';
import { niciraCodecOf, takeNicira } from './nicira.ts';
import { putPacketOut, takePacketIn, takePacketOut } from './packets.ts';
import { putFeatures, putPort, takeFeatures, takePort } from './switches.ts';

type Type = Message['type'];
type MessageOf<T extends Type> = Extract<Message, { type: T }>;
/** Types with a number of their own. packet_in is decoded, never encoded, in its standard form. */
type PlainType = Exclude<keyof typeof messageTypes, 'experimenter' | 'packet_in'>;

interface MessageCodec<T extends Type> {
  readonly put: (w: Writer, message: MessageOf<T>, xid: number) => void;
  readonly take: (r: Reader, type: T) => Message;
}

const typeOf = namesOf(messageTypes);
const controlOf = namesOf(bundleControls);
const roleOf = namesOf(roles);
const reasonOf = namesOf(portReasons);
const versionBitmap = 1;
const experimenterError = 0xffff;
const more = 1;

type EmptyType =
  | 'features_request'
  | 'get_config_request'
  | 'barrier_request'
  | 'barrier_reply'
  | 'get_async_request';

const nothing = {
  put: () => undefined,
  take: (_: Reader, type: EmptyType): Message => ({ type }),
};

const echo = {
  put: (w: Writer, { data }: { readonly data: Uint8Array }) => void w.bytes(data),
  take: (r: Reader, type: 'echo_request' | 'echo_reply'): Message => ({ type, data: copyOf(r.rest()) }),
};

const config = {
  put: (w: Writer, m: { readonly flags: number; readonly missSendLen: number }) =>
    void w.u16(m.flags).u16(m.missSendLen),
  take: (r: Reader, type: 'get_config_reply' | 'set_config'): Message => ({
    type,
    flags: r.u16(),
    missSendLen: r.u16(),
  }),
};

const role = {
  put: (w: Writer, m: MessageOf<'role_request' | 'role_reply'>) =>
    void w.u32(roles[m.role]).zeros(4).u64(m.generation),
  take: (r: Reader, type: 'role_request' | 'role_reply'): Message => {
    const at = r.offset;
    const name = roleOf(r.u32()) ?? malformed(at, 'role');
    r.skip(4);
    return { type, role: name, generation: r.u64() };
  },
};

const asyncConfig = {
  put: (w: Writer, { masks }: { readonly masks: ReadonlyMap<number, number> }) => {
    for (const [type, mask] of masks) w.u16(type).u16(8).u32(mask);
  },
  take: (r: Reader, type: 'get_async_reply' | 'set_async'): Message => {
    const masks = new Map<number, number>();
    while (r.left > 0) {
      const at = r.offset;
      const property = r.u16();
      if (r.u16() !== 8) malformed(at, 'async property');
      masks.set(property, r.u32());
    }
    return { type, masks };
  },
};

function takeHello(r: Reader): Message {
  let versions: number[] = [];
  while (r.left > 0) {
    const at = r.offset;
    const type = r.u16();
    const length = r.u16();
    if (length < 4) malformed(at, 'hello element');
    const body = r.window(length - 4);
    r.skip(Math.min((8 - (length % 8)) % 8, r.left));
    if (type !== versionBitmap) continue;
    versions = [];
    for (let base = 0; body.left >= 4; base += 32) {
      const bits = body.u32();
      for (let bit = 0; bit < 32; bit++) if ((bits >>> bit) & 1) versions.push(base + bit);
    }
  }
  return { type: 'hello', versions };
}

function putHello(w: Writer, { versions }: MessageOf<'hello'>): void {
  let bits = 0;
  for (const version of versions) bits |= 1 << version;
  w.u16(versionBitmap).u16(8).u32(bits);
}

function takeError(r: Reader): Message {
  const errorType = r.u16();
  const code = r.u16();
  if (errorType !== experimenterError) return { type: 'error', errorType, code, data: copyOf(r.rest()) };
  const experimenter = r.u32();
  return { type: 'error', errorType, code, experimenter, data: copyOf(r.rest()) };
}

function takePortStatus(r: Reader): Message {
  const at = r.offset;
  const reason = reasonOf(r.u8()) ?? malformed(at, 'port-status reason');
  r.skip(7);
  return { type: 'port_status', reason, port: takePort(r) };
}

function takeBundleControl(r: Reader): Message {
  const bundle = r.u32();
  const at = r.offset;
  const control = controlOf(r.u16()) ?? malformed(at, 'bundle control');
  return { type: 'bundle_control', bundle, control, flags: r.u16() };
}

const isMember = (message: Message): message is BundleMember =>
  message.type === 'flow_mod' || message.type === 'group_mod' || message.type === 'packet_out';

function takeBundleAdd(r: Reader): Message {
  const bundle = r.u32();
  r.skip(2);
  const flags = r.u16();
  const at = r.offset;
  r.skip(2);
  const length = r.u16();
  if (length < headerLength) malformed(at, 'bundle member');
  r.offset = at;
  const { message } = takeMessage(r.window(length));
  r.skip(r.left);
  return isMember(message)
    ? { type: 'bundle_add', bundle, flags, member: message }
    : malformed(at, 'bundle member');
}

function takeExperimenter(r: Reader): Message {
  const experimenter = r.u32();
  const subtype = r.u32();
  const known = experimenter === nicira ? takeNicira(r, subtype) : undefined;
  return known ?? { type: 'experimenter', experimenter, subtype, data: copyOf(r.rest()) };
}

function takeMultipart(r: Reader, type: 'multipart_request' | 'multipart_reply'): Message {
  const start = r.offset;
  const kind = kindOf(r.u16());
  const flags = r.u16() & more ? ({ more: true } as const) : {};
  r.skip(4);
  if (kind === undefined) {
    r.offset = start;
    return { type: 'unknown', messageType: messageTypes[type], data: copyOf(r.rest()) };
  }
  return type === 'multipart_request'
    ? { type, body: takeMultipartRequest(r, kind), ...flags }
    : { type, body: takeMultipartReply(r, kind), ...flags };
}

function putMultipart(w: Writer, message: MessageOf<'multipart_request' | 'multipart_reply'>): void {
  w.u16(multipartKinds[message.body.kind])
    .u16(message.more === true ? more : 0)
    .zeros(4);
  if (message.type === 'multipart_request') putMultipartRequest(w, message.body);
  else putMultipartReply(w, message.body);
}

const codecs: { readonly [T in PlainType]: MessageCodec<T> } = {
  hello: { put: putHello, take: takeHello },
  error: {
    put: (w, m) => {
      w.u16(m.errorType).u16(m.code);
      if (m.errorType === experimenterError) w.u32(m.experimenter ?? 0);
      w.bytes(m.data);
    },
    take: takeError,
  },
  echo_request: echo,
  echo_reply: echo,
  features_request: nothing,
  features_reply: { put: putFeatures, take: takeFeatures },
  get_config_request: nothing,
  get_config_reply: config,
  set_config: config,
  flow_removed: { put: putFlowRemoved, take: takeFlowRemoved },
  port_status: {
    put: (w, { reason, port }) => putPort(w.u8(portReasons[reason]).zeros(7), port),
    take: takePortStatus,
  },
  packet_out: { put: putPacketOut, take: takePacketOut },
  flow_mod: { put: putFlowMod, take: takeFlowMod },
  group_mod: { put: putGroupMod, take: takeGroupMod },
  multipart_request: { put: putMultipart, take: takeMultipart },
  multipart_reply: { put: putMultipart, take: takeMultipart },
  barrier_request: nothing,
  barrier_reply: nothing,
  role_request: role,
  role_reply: role,
  get_async_request: nothing,
  get_async_reply: asyncConfig,
  set_async: asyncConfig,
  meter_mod: { put: putMeterMod, take: takeMeterMod },
  bundle_control: {
    put: (w, { bundle, control, flags }) => void w.u32(bundle).u16(bundleControls[control]).u16(flags),
    take: takeBundleControl,
  },
  bundle_add: {
    put: (w, { bundle, flags, member }, xid) => {
      w.u32(bundle).u16(0).u16(flags);
      putMessage(w, member, xid);
    },
    take: takeBundleAdd,
  },
};

function putBodyOf(w: Writer, message: Message, xid: number): number {
  if (message.type === 'unknown') {
    w.bytes(message.data);
    return message.messageType;
  }
  if (message.type === 'experimenter') {
    w.u32(message.experimenter).u32(message.subtype).bytes(message.data);
    return messageTypes.experimenter;
  }
  const extension = niciraCodecOf(message.type);
  if (extension !== undefined) {
    const { subtype, put } = extension;
    put(w.u32(nicira).u32(subtype), message);
    return messageTypes.experimenter;
  }
  const { put } = codecs[message.type as PlainType] as MessageCodec<Type>;
  put(w, message, xid);
  return messageTypes[message.type as PlainType];
}

/** Appends one message. Throws `Unencodable` when the wire cannot hold it, and leaves the writer as it was. */
export function putMessage(w: Writer, message: Message, xid: number): void {
  const start = w.length;
  try {
    w.u8(ofVersion).u8(0).u16(0).u32(xid);
    const type = putBodyOf(w, message, xid);
    const length = w.length - start;
    if (length > 0xffff) unencodable(`${message.type} of ${length} bytes`);
    w.patchU16(start, (ofVersion << 8) | type);
    w.patchU16(start + 2, length);
  } catch (error) {
    w.truncate(start);
    // A number is too wide for its field, or a part is longer than its length field can express.
    if (error instanceof RangeError) unencodable(`${message.type}: ${error.message}`);
    throw error;
  }
}

function takeMessage(r: Reader): Envelope {
  r.skip(1);
  const number = r.u8();
  r.skip(2);
  const xid = r.u32();
  const type = typeOf(number);
  if (type === undefined)
    return { xid, message: { type: 'unknown', messageType: number, data: copyOf(r.rest()) } };
  if (type === 'experimenter') return { xid, message: takeExperimenter(r) };
  if (type === 'packet_in') return { xid, message: takePacketIn(r) };
  const { take } = codecs[type] as MessageCodec<Type>;
  return { xid, message: take(r, type) };
}

/** The message in its own buffer. */
export function encodeMessage(message: Message, xid: number): Buffer {
  const w = new Writer(128);
  putMessage(w, message, xid);
  return w.done();
}

/** Reads one whole frame, header included. The result refers to no byte of it. */
export const decodeMessage = (frame: Buffer): Envelope => takeMessage(new Reader(frame));
