/**
 * What a punted packet says about itself: the userdata of the flow that sent it to the agent. A guest cannot write it.
 * Layout: kind and version, 1 byte each, then the network's key and the port's key, 4 bytes each.
 */
import type { NetworkKey, PortKey } from '../model/numbers.ts';
import type { SharedMeterKind } from './shared-meters.ts';

/** Codes are never used again for another kind: a switch may have flows of an earlier version. */
export const puntKinds = {
  /** A duplicate-address probe for a link-local address that is not the port's yet. */
  'link-local': { code: 1, meter: 'probe' },
  /** A claim of an address that several ports may have: a copy. It shares the meter of answers. */
  claim: { code: 2, meter: 'answer' },
  /** A DHCPv4 request that the agent answers. */
  dhcp4: { code: 3, meter: 'dhcp' },
  /** The same of DHCPv6. */
  dhcp6: { code: 4, meter: 'dhcp' },
  /** A router solicitation that the agent answers. */
  'router-solicitation': { code: 5, meter: 'solicitation' },
  /** A packet that a router cannot send on: the agent tells its sender by ICMP. */
  'router-error': { code: 6, meter: 'router-error' },
  /** A copy of TCP amid a connection that this host does not know, of a port that has moved here. Shares the meter of answers. */
  moved: { code: 7, meter: 'answer' },
} as const satisfies Record<string, { readonly code: number; readonly meter: SharedMeterKind }>;
export type PuntKind = keyof typeof puntKinds;

/**
 * What the switch writes into a claim that it learns from: a rewritten packet is looked at by ovs-vswitchd each time. The flow
 * has then shown that it is a claim.
 */
export const claimMark = { arpOp: 0xfe, icmpCode: 254 } as const;

const version = 1;
const size = 10;

export interface PuntData {
  readonly kind: PuntKind;
  readonly networkKey: NetworkKey;
  readonly key: PortKey;
}

export function writePuntData({ kind, networkKey, key }: PuntData): Uint8Array {
  const data = Buffer.alloc(size);
  data.writeUInt8(puntKinds[kind].code, 0);
  data.writeUInt8(version, 1);
  data.writeUInt32BE(networkKey, 2);
  data.writeUInt32BE(key, 6);
  return data;
}

/** Null for what no flow of this version writes. */
export function readPuntData(data: Uint8Array): PuntData | null {
  if (data.length !== size || data[1] !== version) return null;
  const kind = (Object.keys(puntKinds) as PuntKind[]).find((name) => puntKinds[name].code === data[0]);
  if (kind === undefined) return null;
  const view = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return { kind, networkKey: view.readUInt32BE(2) as NetworkKey, key: view.readUInt32BE(6) as PortKey };
}
