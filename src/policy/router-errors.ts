/**
 * What a router tells the sender of a packet that it cannot send on, by ICMP: RFC 1812 4.3.2, RFC 4443 2.4. The error goes
 * the router's own way to the sender. Decides no way; says nothing of how often a router speaks.
 */
import type { Cidr, Family } from '../net/cidr.ts';
import type { Frame, Ip } from '../net/packet/frame.ts';
import { buildIpv4 } from '../net/packet/ipv4.ts';
import { buildIpv6 } from '../net/packet/ipv6.ts';
import { protocols } from '../net/packet/transport.ts';
import type { DropReason } from './drop-reasons.ts';
import { sameIp } from './identity.ts';
import type { Subject } from './packet.ts';

/** Type and code: time exceeded, no route, address unreachable, the MTU is smaller. */
const told: Partial<Record<DropReason, Readonly<Record<Family, readonly [type: number, code: number]>>>> = {
  'ttl-exceeded': { 4: [11, 0], 6: [3, 0] },
  'no-route': { 4: [3, 0], 6: [1, 0] },
  unresolved: { 4: [3, 1], 6: [1, 3] },
  'too-big': { 4: [3, 4], 6: [2, 0] },
};

/** ICMP's errors, source quench and redirect among them; what this list does not have may be asked and answered. */
const queries4 = [0, 8, 9, 10, 13, 14, 15, 16, 17, 18];

function isTold({ protocol, family, fragment, payload }: Ip): boolean {
  if (fragment !== null && fragment.offset !== 0) return false;
  const isIcmp = protocol === protocols.icmp || protocol === protocols.icmpv6;
  const [type = 0] = payload;
  if (!isIcmp) return true;
  if (payload.length === 0) return false;
  return family === 4 ? queries4.includes(type) : type > 127 && type !== 137;
}

/** The packet as the error quotes it. */
function quoteOf({ family, src, dst, protocol, hopLimit, payload, fragment }: Ip, inPieces: boolean): Buffer {
  const more = inPieces || fragment !== null;
  if (family === 4)
    return buildIpv4(
      {
        src,
        dst,
        protocol,
        ttl: hopLimit,
        tos: 0,
        id: fragment?.id ?? 0,
        dontFragment: false,
        moreFragments: more,
        fragmentOffset: 0,
        options: Buffer.alloc(0),
      },
      payload,
    );
  const extensions = more ? [{ kind: 'fragment', offset: 0, more: true, id: 0 } as const] : [];
  return buildIpv6({ src, dst, hopLimit, trafficClass: 0, flowLabel: 0, extensions, protocol }, payload);
}

/**
 * The error about a packet, from a router's address; null where it says nothing. `homes` are the subnets that the router
 * is in: their broadcast addresses are for many.
 */
export function icmpErrorTo(
  reason: DropReason,
  { frame, fragmented }: Subject,
  from: Cidr,
  homes: readonly Cidr[],
): Frame | null {
  const { ip } = frame;
  if (ip === null || !isTold(ip)) return null;
  const words = told[reason]?.[ip.family];
  if (words === undefined) return null;
  if (homes.some((home) => isForAll(home, ip.dst))) return null;
  const [type, code] = words;
  const body = quoteOf(ip, fragmented);
  return {
    ...frame,
    ip: {
      ...ip,
      src: from,
      dst: ip.src,
      protocol: ip.family === 4 ? protocols.icmp : protocols.icmpv6,
      hopLimit: 64,
      size: 0,
      fragment: null,
      sound: true,
      payload: body,
      upper: { kind: 'icmp', type, code, rest: 0, body, sound: true },
    },
  };
}

const isForAll = (home: Cidr, dst: Cidr): boolean => {
  if (home.family !== 4 || home.length >= 31) return false;
  return sameIp({ ...dst, bits: home.bits + 2n ** BigInt(32 - home.length) - 1n }, dst);
};
