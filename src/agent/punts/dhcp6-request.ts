/**
 * What a guest's DHCPv6 message asks for, and whether a server may answer it (RFC 8415 16). Knows nothing of ports. What it
 * keeps of a message is bounded.
 */
import type { Cidr } from '../../net/cidr.ts';
import type { Mac } from '../../net/mac.ts';
import { dhcpPorts } from '../../net/packet/dhcp.ts';
import {
  type Association,
  addressIn,
  associationTypes,
  dhcp6Options as codes,
  type Dhcp6,
  parseAssociation,
  parseDhcp6,
  dhcp6Types as types,
} from '../../net/packet/dhcp6.ts';
import { parseFrame } from '../../net/packet/frame.ts';

/** Each association lengthens the answer. */
const maxAssociations = 8;
/** Bytes of a DUID (RFC 8415 11.1). */
const maxDuidSize = 130;

export interface Dhcp6Request {
  readonly mac: Mac;
  readonly from: Cidr;
  readonly message: Dhcp6;
  readonly client: Buffer | null;
  readonly associations: readonly Association[];
  /** The addresses in the associations. */
  readonly addresses: readonly bigint[];
}

/** Messages by which server they name: none, or the one that is meant. */
const forAnyServer: ReadonlySet<number> = new Set([types.solicit, types.confirm, types.rebind]);
const forOneServer: ReadonlySet<number> = new Set([types.request, types.renew, types.release, types.decline]);

function isAnswerable(message: Dhcp6, associations: readonly Association[], duid: Buffer): boolean {
  const client = optionOf(message, codes.client);
  const server = optionOf(message, codes.server);
  if (client !== null && client.length > maxDuidSize) return false;
  if (message.type === types.informationRequest)
    return (server === null || server.equals(duid)) && associations.length === 0;
  if (client === null) return false;
  if (forAnyServer.has(message.type)) return server === null;
  return forOneServer.has(message.type) && server !== null && server.equals(duid);
}

/** The data of the first such option, or null. */
export function optionOf({ options }: Pick<Dhcp6, 'options'>, wanted: number): Buffer | null {
  return options.find(({ code }) => code === wanted)?.data ?? null;
}

/** `duid`: the server that reads. Null for what no server answers, and for what is meant for another. Never throws. */
export function readDhcp6Request(data: Uint8Array, duid: Buffer): Dhcp6Request | null {
  const frame = parseFrame(Buffer.from(data));
  const upper = frame?.ip?.upper;
  if (frame === null || frame.ip === null || upper?.kind !== 'segment') return null;
  const message = upper.dstPort === dhcpPorts.server6 ? parseDhcp6(upper.payload) : null;
  if (message === null) return null;
  const asked = message.options.filter(({ code }) => associationTypes.has(code)).slice(0, maxAssociations);
  const associations = asked.flatMap((option) => parseAssociation(option) ?? []);
  // An association that is cut makes nonsense of the message.
  if (associations.length < asked.length || !isAnswerable(message, associations, duid)) return null;
  return {
    mac: frame.ethernet.src,
    from: frame.ip.src,
    message,
    client: optionOf(message, codes.client),
    associations,
    addresses: associations.flatMap(addressesOf),
  };
}

/** The addresses in an association. */
export const addressesOf = ({ options }: Association): bigint[] =>
  options.flatMap((option) => addressIn(option) ?? []);
