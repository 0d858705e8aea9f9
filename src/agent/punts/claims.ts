/**
 * Handler of claims: records who holds an address of several ports. The last claim wins, so the record is replaced
 * whatever it says, by one transaction for each change of owner.
 *
 * Invariants: the flow has shown that the port may claim the address, and this asks the facts again. A claim of
 * the port that is on record writes nothing.
 */
import { keys } from '../../model/keys.ts';
import type { ClaimForm, OwnerRecord } from '../../model/records.ts';
import { type Cidr, contains, formatCidr } from '../../net/cidr.ts';
import type { Mac } from '../../net/mac.ts';
import { arpOps } from '../../net/packet/arp.ts';
import { parseFrame } from '../../net/packet/frame.ts';
import { icmpv6Types, naFlags, parseNeighbour } from '../../net/packet/icmpv6.ts';
import type { Facts } from '../../pipeline/facts.ts';
import { claimMark } from '../../pipeline/punt-data.ts';
import { mayUse } from '../../policy/address-owners.ts';
import { sameIp } from '../../policy/identity.ts';
import type { Port } from '../../policy/world.ts';
import { ignored, type PuntHandler } from './handler.ts';

export interface Claim {
  readonly address: Cidr;
  readonly mac: Mac;
  readonly how: ClaimForm;
}

export const claims: PuntHandler = {
  maxWaitingPerPort: 50,
  handle: ({ data, local }, { facts }) => {
    const claim = readClaim(data);
    const { port } = local;
    if (claim === null || port.host === null || !mayUse(port, claim)) return ignored;
    const address = formatCidr(claim.address);
    const known = facts.owners.get(`${port.network}|${address}`);
    if (known?.port === port.id && known.mac === claim.mac) return ignored;
    const { id, network, host } = port;
    if (!hasRival(port, claim.address, facts)) return ignored;
    return {
      kind: 'claimed',
      key: keys.owner(network, address),
      address,
      conditions: [{ key: keys.port(network, id), is: 'present' }],
      next: (text) => {
        const before = text === null ? null : keys.owner.read(text);
        if (before?.port === id && before.mac === claim.mac) return null;
        const record: OwnerRecord = {
          port: id,
          host,
          mac: claim.mac,
          generation: (before?.generation ?? 0) + 1,
          since: new Date().toISOString(),
          how: claim.how,
        };
        return JSON.stringify(record);
      },
    };
  },
};

/** Whether another port of the network may have the address too. */
function hasRival({ id, network }: Port, address: Cidr, { ports }: Facts): boolean {
  const covers = (ip: Cidr): boolean => contains(ip, address);
  for (const [, other] of ports.entries())
    if (other.id !== id && other.network === network)
      if (other.fixedIps.some(covers) || other.pairs.some(({ ip }) => covers(ip))) return true;
  return false;
}

const claimOps: ReadonlySet<number> = new Set([arpOps.reply, claimMark.arpOp]);

/** Null for a frame that claims nothing. Never throws. */
export function readClaim(data: Uint8Array): Claim | null {
  const frame = parseFrame(Buffer.from(data));
  if (frame === null) return null;
  const { arp, ip, ethernet } = frame;
  if (arp !== null) {
    const announces = sameIp(arp.spa, arp.tpa) || arp.tpa.bits === 0n;
    const isClaim = arp.op === arpOps.request ? announces : claimOps.has(arp.op);
    if (!isClaim || arp.spa.bits === 0n) return null;
    return { address: arp.spa, mac: arp.sha, how: announces ? 'announcement' : 'answer' };
  }
  if (ip?.upper?.kind !== 'icmp' || ip.upper.type !== icmpv6Types.neighbourAdvertisement) return null;
  const { code, rest } = ip.upper;
  const target = parseNeighbour({ ...ip.upper, code: code === claimMark.icmpCode ? 0 : code })?.target;
  if (target === undefined) return null;
  const isAsked = (rest & naFlags.solicited) !== 0;
  return { address: target, mac: ethernet.src, how: isAsked ? 'answer' : 'announcement' };
}
