/**
 * Bodies of ICMPv6's neighbour discovery (RFC 4861) and multicast listener discovery (RFC 2710, RFC 3810).
 * `icmp.ts` frames them. Parsing returns the fields that a switch can match.
 */
import { Reader, Writer } from '../../base/bytes.ts';
import { type Cidr, cidr } from '../cidr.ts';
import { type Mac, macFromBits, macToBits } from '../mac.ts';
import type { Icmp } from './icmp.ts';

export const icmpv6Types = {
  unreachable: 1,
  packetTooBig: 2,
  timeExceeded: 3,
  parameterProblem: 4,
  echo: 128,
  echoReply: 129,
  listenerQuery: 130,
  listenerReport: 131,
  listenerDone: 132,
  routerSolicitation: 133,
  routerAdvertisement: 134,
  neighbourSolicitation: 135,
  neighbourAdvertisement: 136,
  redirect: 137,
  /** RFC 2894. */
  routerRenumbering: 138,
  /** RFC 3122. */
  inverseSolicitation: 141,
  inverseAdvertisement: 142,
  listenerReport2: 143,
  /** RFC 4286. */
  multicastRouterAdvertisement: 151,
  multicastRouterTermination: 153,
  /** RFC 6550. */
  rplControl: 155,
} as const;

export const naFlags = { router: 0x80000000, solicited: 0x40000000, override: 0x20000000 } as const;

const optionTypes = { sourceAddress: 1, targetAddress: 2 } as const;

/** An option as raw bytes: `type`, a length computed in units of 8 bytes, and `body` padded with zeros. */
export interface NdOption {
  readonly type: number;
  readonly body: Buffer;
}

export const sourceOption = (mac: Mac): NdOption => linkOption(optionTypes.sourceAddress, mac);
export const targetOption = (mac: Mac): NdOption => linkOption(optionTypes.targetAddress, mac);

function linkOption(type: number, mac: Mac): NdOption {
  return { type, body: new Writer(6).uint(macToBits(mac), 6).done() };
}

function writeOptions(writer: Writer, options: readonly NdOption[]): Buffer {
  for (const option of options) {
    const start = writer.length;
    writer.u8(option.type).u8(Math.ceil((option.body.length + 2) / 8));
    writer.bytes(option.body).align(8, start);
  }
  return writer.done();
}

/** Neighbour solicitation and advertisement: `rest` holds the advertisement's flags. */
export function neighbourMessage(
  type: 135 | 136,
  rest: number,
  target: Cidr,
  options: readonly NdOption[],
): Icmp {
  return { type, code: 0, rest, body: writeOptions(new Writer(64).uint(target.bits, 16), options) };
}

export function routerSolicitation(options: readonly NdOption[]): Icmp {
  return {
    type: icmpv6Types.routerSolicitation,
    code: 0,
    rest: 0,
    body: writeOptions(new Writer(32), options),
  };
}

/** `flags` as in `router-advertisement.ts`. */
export function routerAdvertisement(lifetime: number, options: readonly NdOption[], flags = 0): Icmp {
  const body = writeOptions(new Writer(64).u32(0).u32(0), options);
  const rest = ((64 << 24) | (flags << 16) | lifetime) >>> 0;
  return { type: icmpv6Types.routerAdvertisement, code: 0, rest, body };
}

export function redirect(target: Cidr, destination: Cidr, options: readonly NdOption[]): Icmp {
  const body = writeOptions(new Writer(64).uint(target.bits, 16).uint(destination.bits, 16), options);
  return { type: icmpv6Types.redirect, code: 0, rest: 0, body };
}

/** MLDv1's query, report and done. */
export function listenerMessage(type: 130 | 131 | 132, group: Cidr): Icmp {
  return { type, code: 0, rest: 0, body: new Writer(16).uint(group.bits, 16).done() };
}

/** MLDv2's report: one record "change to exclude" a group, without sources. */
export function listenerReport2(groups: readonly Cidr[]): Icmp {
  const writer = new Writer(64);
  for (const group of groups) writer.u8(4).u8(0).u16(0).uint(group.bits, 16);
  return { type: icmpv6Types.listenerReport2, code: 0, rest: groups.length, body: writer.done() };
}

/** `source` and `target` are the Ethernet link-layer address options, null when absent. */
export interface Neighbour {
  readonly target: Cidr;
  readonly source: Mac | null;
  readonly targetMac: Mac | null;
}

/**
 * The target and link-layer options of a neighbour solicitation or advertisement. Null when it is another
 * message (code not 0, cut target), or when it repeats a link-layer option: implementations read that
 * differently. An option whose length is wrong ends the list. An option whose length is merely not Ethernet's
 * is skipped.
 */
export function parseNeighbour(message: Icmp): Neighbour | null {
  if (message.code !== 0 || message.body.length < 16) return null;
  const reader = new Reader(message.body);
  const target = cidr(6, reader.uint(16));
  let source: Mac | null = null;
  let targetMac: Mac | null = null;
  while (reader.left >= 8) {
    const type = reader.u8();
    const size = reader.u8() * 8 - 2;
    if (size < 0 || size > reader.left) break;
    const body = reader.window(size);
    if (size !== 6) continue;
    if (type === optionTypes.sourceAddress) {
      if (source !== null) return null;
      source = macFromBits(body.uint(6));
    } else if (type === optionTypes.targetAddress) {
      if (targetMac !== null) return null;
      targetMac = macFromBits(body.uint(6));
    }
  }
  return { target, source, targetMac };
}

/** ff02::1:ffXX:XXXX of RFC 4291 2.7.1. */
export const solicitedNode = (address: Cidr): Cidr =>
  cidr(6, (0xff02n << 112n) | 0x1ff000000n | (address.bits & 0xffffffn));

export const solicitedNodePrefix: Cidr = cidr(6, (0xff02n << 112n) | 0x1ff000000n, 104);
