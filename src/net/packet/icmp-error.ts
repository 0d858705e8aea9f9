/** Whole ICMP and ICMPv6 errors (RFC 792, RFC 4443): the message, and its IP header. Knows no reasons for them. */
import type { Cidr } from '../cidr.ts';
import { buildIcmp } from './icmp.ts';
import { buildIpv4 } from './ipv4.ts';
import { buildIpv6 } from './ipv6.ts';
import { protocols } from './transport.ts';

export interface IcmpError {
  readonly src: Cidr;
  readonly dst: Cidr;
  readonly type: number;
  readonly code: number;
  /** Of the next network (RFC 1191, RFC 4443 3.2), where that is what the error says; else 0. */
  readonly mtu: number;
  /** The packet that the error is about, from its IP header on. Its end is left out where it does not fit. */
  readonly about: Buffer;
}

/** Such an error fits every link: RFC 1812 4.3.2.3, RFC 4443 2.4. */
const maxSize = { 4: 576, 6: 1280 } as const;
const headerSize = { 4: 20, 6: 40 } as const;
const icmpHeaderSize = 8;
/** Precedence of internetwork control (RFC 1812 4.3.2.5). */
const precedence = 0xc0;
const hopLimit = 64;

/** The IP packet. */
export function buildIcmpError({ src, dst, type, code, mtu, about }: IcmpError): Buffer {
  const { family } = src;
  const body = about.subarray(0, maxSize[family] - headerSize[family] - icmpHeaderSize);
  const message = buildIcmp(src, dst, { type, code, rest: mtu, body });
  if (family === 4) {
    const fragmenting = { id: 0, dontFragment: true, moreFragments: false, fragmentOffset: 0 };
    const options = Buffer.alloc(0);
    const protocol = protocols.icmp;
    return buildIpv4(
      { src, dst, protocol, ttl: hopLimit, tos: precedence, ...fragmenting, options },
      message,
    );
  }
  const protocol = protocols.icmpv6;
  return buildIpv6(
    { src, dst, protocol, hopLimit, trafficClass: precedence, flowLabel: 0, extensions: [] },
    message,
  );
}
