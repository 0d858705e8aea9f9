/**
 * The packet that a request describes in words of the field, instead of as bytes: which fields there are and what
 * they may be. Says nothing about what an absent field becomes.
 */
import type { Check } from '../../model/attribute.ts';
import { integerBetween, isObject, listOf, oneOf } from '../../model/checks.ts';
import { badRequest } from '../../model/faults.ts';
import { protocolNumber } from '../../model/protocols.ts';
import { macSchema, type Schema, schemaOf, stringSchema, withSchema } from '../../model/schema.ts';
import { type Cidr, parseIp } from '../../net/cidr.ts';
import { type Mac, parseMac } from '../../net/mac.ts';
import { tcpFlags } from '../../net/packet/transport.ts';

export type TcpFlag = keyof typeof tcpFlags;

export interface PacketDescription {
  /** `arp`, `nd` (a neighbour solicitation), `icmp` of either family, or a number of IP. */
  readonly protocol: 'arp' | 'nd' | 'icmp' | number;
  readonly destination: Cidr;
  readonly source: Cidr | null;
  readonly sourceMac: Mac | null;
  readonly destinationMac: Mac | null;
  readonly sourcePort: number | null;
  readonly destinationPort: number | null;
  readonly tcpFlags: readonly TcpFlag[] | null;
  readonly icmpType: number | null;
  readonly icmpCode: number | null;
  readonly icmpId: number | null;
  readonly hopLimit: number | null;
  readonly vlan: number | null;
  readonly operation: 'request' | 'reply' | null;
}

const flagNames = Object.keys(tcpFlags) as TcpFlag[];

const address: Check<string> = withSchema({ type: 'string', format: 'ip' }, (value) =>
  typeof value === 'string' && parseIp(value) !== null ? null : `'${String(value)}' is not an IP address`,
);
const mac: Check<string> = withSchema(macSchema, (value) =>
  typeof value === 'string' && parseMac(value) !== null ? null : `'${String(value)}' is not a MAC address`,
);
const protocol: Check<string> = withSchema(
  {
    ...stringSchema,
    description: '`arp`, `nd` (a neighbour solicitation), a name that rules take, or a number.',
  },
  (value) =>
    typeof value === 'string' && protocolOf(value) !== null ? null : `'${String(value)}' is not a protocol`,
);

function protocolOf(name: string): PacketDescription['protocol'] | null {
  if (name === 'arp' || name === 'nd' || name === 'icmp') return name;
  return protocolNumber(name);
}

const checks = {
  protocol,
  source_ip: address,
  destination_ip: address,
  source_mac: mac,
  destination_mac: mac,
  source_port: integerBetween(0, 65535),
  destination_port: integerBetween(0, 65535),
  tcp_flags: listOf(oneOf(flagNames)),
  icmp_type: integerBetween(0, 255),
  icmp_code: integerBetween(0, 255),
  icmp_id: integerBetween(0, 65535),
  hop_limit: integerBetween(0, 255),
  vlan: integerBetween(0, 4095),
  operation: oneOf(['request', 'reply']),
} as const satisfies Record<string, Check>;

type Field = keyof typeof checks;
const fields = Object.keys(checks) as Field[];

const about: Partial<Record<Field, string>> = {
  source_ip: "The port's first address of the destination's family when absent.",
  destination_ip: 'Of `arp` and `nd`: the address that is asked for.',
  source_mac: 'The MAC that goes with the source when absent.',
  destination_mac: "The MAC of the port that has the destination, or of the gateway's, when absent.",
  source_port: '49152 when absent.',
  tcp_flags: '`["syn"]` when absent.',
  icmp_type: 'An echo request when absent.',
  vlan: 'Puts an 802.1Q tag on the frame.',
  operation: 'Of `arp`; `request` when absent.',
};

export const packetSchema: Schema = {
  type: 'object',
  properties: Object.fromEntries(
    fields.map((name) => [
      name,
      { ...schemaOf(checks[name]), ...(about[name] === undefined ? {} : { description: about[name] }) },
    ]),
  ),
  required: ['protocol', 'destination_ip'],
  additionalProperties: false,
};

/** Throws `BadRequest` where a field is unknown, missing or wrong. */
export function readPacket(value: unknown): PacketDescription {
  if (!isObject(value)) return badRequest("'packet' must be an object");
  for (const [name, given] of Object.entries(value)) {
    const check = fields.find((field) => field === name);
    if (check === undefined) return badRequest(`A packet has no field '${name}'`);
    const fault = checks[check](given);
    if (fault !== null) return badRequest(`Invalid ${name}: ${fault}`);
  }
  const number = (name: Field): number | null => (value[name] === undefined ? null : Number(value[name]));
  const text = (name: Field): string | null => {
    const given = value[name];
    return typeof given === 'string' ? given : null;
  };
  const destination = parseIp(text('destination_ip') ?? '');
  const named = protocolOf(text('protocol') ?? '');
  if (named === null) return badRequest("A packet needs a 'protocol'");
  if (destination === null) return badRequest("A packet needs a 'destination_ip'");
  const flags = value['tcp_flags'];
  const operation = text('operation');
  return {
    protocol: named,
    destination,
    source: parseIp(text('source_ip') ?? ''),
    sourceMac: parseMac(text('source_mac') ?? ''),
    destinationMac: parseMac(text('destination_mac') ?? ''),
    sourcePort: number('source_port'),
    destinationPort: number('destination_port'),
    tcpFlags: Array.isArray(flags) ? flagNames.filter((flag) => flags.includes(flag)) : null,
    icmpType: number('icmp_type'),
    icmpCode: number('icmp_code'),
    icmpId: number('icmp_id'),
    hopLimit: number('hop_limit'),
    vlan: number('vlan'),
    operation: operation === 'request' || operation === 'reply' ? operation : null,
  };
}
