/**
 * Tunnel endpoints (VTEPs, RFC 7348): the address of a host for the tunnels to other hosts, and the kinds of tunnel that it
 * has. Two hosts use the first kind that both have, so each knows what the other sends.
 */
import { type Cidr, parseIp } from '../net/cidr.ts';
import { isUnusable } from '../net/unusable-addresses.ts';

/** The best first: Geneve carries the key of the sending port, VXLAN has no room for it. */
export const tunnelTypes = ['geneve', 'vxlan'] as const;
export type TunnelType = (typeof tunnelTypes)[number];

export interface Vtep {
  readonly address: Cidr;
  readonly types: readonly TunnelType[];
}

/** Kinds from a text such as `geneve,vxlan`, the best first; null for any other text. */
export function tunnelTypesOf(text: string): readonly TunnelType[] | null {
  const names = text.split(',').map((name) => name.trim());
  const types = tunnelTypes.filter((type) => names.includes(type));
  return names.every((name) => types.some((type) => type === name)) ? types : null;
}

/** What a host's record says of its tunnels; null where it cannot be read, or where no host can have the address. */
export function vtepFrom(address: string, types: readonly string[]): Vtep | null {
  const parsed = parseIp(address);
  return parsed === null || isUnusable(parsed)
    ? null
    : { address: parsed, types: tunnelTypes.filter((type) => types.includes(type)) };
}

/** The kinds of tunnel between two hosts, the best first. */
export function tunnelsBetween(a: Vtep, b: Vtep): readonly TunnelType[] {
  if (a.address.family !== b.address.family || a.address.bits === b.address.bits) return [];
  return a.types.filter((type) => b.types.includes(type));
}

/** The kind of the tunnel that carries a network between two hosts; null when they have none. */
export function tunnelBetween(a: Vtep, b: Vtep, only?: TunnelType): TunnelType | null {
  return tunnelsBetween(a, b).find((type) => only === undefined || type === only) ?? null;
}
