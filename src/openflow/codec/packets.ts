/** Packets between switch and controller: packet-out, and packet-in in its standard and Nicira's form. */
import type { Reader, Writer } from '../../base/bytes.ts';
import type { PacketIn, PacketOut } from '../message.ts';
import { packetIn2Properties } from '../spec/nicira.ts';
import { noBuffer, ports } from '../spec/numbers.ts';
import { putActions, takeActions } from './actions.ts';
import { copyOf } from './fault.ts';
import { putMatch, putMatchFields, takeMatch, takeMatchFields } from './match.ts';
import { putNested, putProperty, takeProperties } from './properties.ts';

export function putPacketOut(w: Writer, out: PacketOut): void {
  w.u32(out.bufferId ?? noBuffer);
  const at = w.length;
  w.u16(0).zeros(2);
  putMatch(w, { ...out.match, in_port: out.inPort }, out.unknownMatch);
  const start = w.length;
  putActions(w, out.actions);
  w.patchU16(at, w.length - start);
  w.bytes(out.data);
}

export function takePacketOut(r: Reader): PacketOut {
  const bufferId = r.u32();
  const actionsLength = r.u16();
  r.skip(2);
  const { match: all, unknown } = takeMatch(r);
  const { in_port: inPort, ...match } = all;
  const actions = takeActions(r.window(actionsLength));
  return {
    type: 'packet_out',
    inPort: typeof inPort === 'number' ? inPort : ports.controller,
    actions,
    data: copyOf(r.rest()),
    ...(bufferId === noBuffer ? {} : { bufferId }),
    ...(Object.keys(match).length === 0 ? {} : { match }),
    ...(unknown === undefined ? {} : { unknownMatch: unknown }),
  };
}

/** OFPT_PACKET_IN, which has no userdata. */
export function takePacketIn(r: Reader): PacketIn {
  const bufferId = r.u32();
  const totalLength = r.u16();
  const reason = r.u8();
  const table = r.u8();
  const cookie = r.u64();
  const { match, unknown } = takeMatch(r);
  r.skip(2);
  const data = copyOf(r.rest());
  return {
    type: 'packet_in',
    data,
    table,
    cookie,
    reason,
    metadata: match,
    ...(totalLength === data.length ? {} : { fullLen: totalLength }),
    ...(bufferId === noBuffer ? {} : { bufferId }),
    ...(unknown === undefined ? {} : { unknownMatch: unknown }),
  };
}

/** Writes NXT_PACKET_IN2's properties. */
export function putPacketIn2(w: Writer, packet: PacketIn): void {
  const { fullLen, bufferId, userdata, continuation } = packet;
  putProperty(w, packetIn2Properties.packet, (p) => p.bytes(packet.data));
  if (fullLen !== undefined) putProperty(w, packetIn2Properties.fullLen, (p) => p.u32(fullLen));
  if (bufferId !== undefined) putProperty(w, packetIn2Properties.bufferId, (p) => p.u32(bufferId));
  putProperty(w, packetIn2Properties.table, (p) => p.u8(packet.table));
  // A 64-bit value is aligned to eight bytes, hence the padding before it.
  putProperty(w, packetIn2Properties.cookie, (p) => p.zeros(4).u64(packet.cookie));
  putProperty(w, packetIn2Properties.reason, (p) => p.u8(packet.reason));
  putProperty(w, packetIn2Properties.metadata, (p) => {
    putMatchFields(p, packet.metadata);
    if (packet.unknownMatch !== undefined) p.bytes(packet.unknownMatch);
  });
  if (userdata !== undefined) putProperty(w, packetIn2Properties.userdata, (p) => p.bytes(userdata));
  if (continuation !== undefined)
    putNested(w, packetIn2Properties.continuation, (p) => p.bytes(continuation));
  if (packet.otherProperties !== undefined) w.bytes(packet.otherProperties);
}

/** Reads NXT_PACKET_IN2. */
export function takePacketIn2(r: Reader): PacketIn {
  const packet: { -readonly [K in keyof PacketIn]: PacketIn[K] } = {
    type: 'packet_in',
    data: new Uint8Array(),
    table: 0,
    cookie: 0n,
    reason: 0,
    metadata: {},
  };
  const unknown = takeProperties(r, (type, value) => {
    switch (type) {
      case packetIn2Properties.packet:
        packet.data = copyOf(value.rest());
        return true;
      case packetIn2Properties.fullLen:
        packet.fullLen = value.u32();
        return true;
      case packetIn2Properties.bufferId:
        packet.bufferId = value.u32();
        return true;
      case packetIn2Properties.table:
        packet.table = value.u8();
        return true;
      case packetIn2Properties.cookie:
        value.skip(4);
        packet.cookie = value.u64();
        return true;
      case packetIn2Properties.reason:
        packet.reason = value.u8();
        return true;
      case packetIn2Properties.metadata: {
        const taken = takeMatchFields(value);
        packet.metadata = taken.match;
        if (taken.unknown !== undefined) packet.unknownMatch = taken.unknown;
        return true;
      }
      case packetIn2Properties.userdata:
        packet.userdata = copyOf(value.rest());
        return true;
      case packetIn2Properties.continuation:
        value.skip(4);
        packet.continuation = copyOf(value.rest());
        return true;
      default:
        return false;
    }
  });
  if (unknown !== undefined) packet.otherProperties = unknown;
  return packet;
}
