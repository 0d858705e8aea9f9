/**
 * An ICMP error that quotes a live connection. The switch finds it related to that connection. Unlike a segment, it changes
 * neither the connection's state nor what the connection expects next.
 */
import type { Cidr } from '../../net/cidr.ts';
import { macFromBits } from '../../net/mac.ts';
import { buildEthernet, etherTypes } from '../../net/packet/ethernet.ts';
import { buildIcmp, icmpTypes } from '../../net/packet/icmp.ts';
import { icmpv6Types } from '../../net/packet/icmpv6.ts';
import { buildIpv4 } from '../../net/packet/ipv4.ts';
import { buildIpv6 } from '../../net/packet/ipv6.ts';
import { protocols } from '../../net/packet/transport.ts';
import type { ConntrackEntry, ConntrackTuple } from '../../ovsdb/index.ts';

/** Bytes of a TCP header, all of which the userspace datapath wants to see quoted over IPv6. */
const quoted = 20;

/** What an error quotes of a packet behind its IP header. */
function beginning({ layer4 }: ConntrackTuple): Buffer {
  const bytes = Buffer.alloc(quoted);
  if (layer4.kind === 'ports') {
    bytes.writeUInt16BE(layer4.src, 0);
    bytes.writeUInt16BE(layer4.dst, 2);
  } else {
    bytes.writeUInt8(layer4.type, 0);
    bytes.writeUInt8(layer4.code, 1);
    bytes.writeUInt16BE(layer4.id, 4);
  }
  return bytes;
}

function packet(src: Cidr, dst: Cidr, protocol: number, payload: Buffer): Buffer {
  const ends = { src, dst, protocol };
  if (src.family === 6)
    return buildIpv6({ ...ends, hopLimit: 64, trafficClass: 0, flowLabel: 0, extensions: [] }, payload);
  const whole = { tos: 0, id: 0, dontFragment: false, moreFragments: false, fragmentOffset: 0 };
  return buildIpv4({ ...ends, ...whole, ttl: 64, options: Buffer.alloc(0) }, payload);
}

/** From the responder to the originator. */
export function errorAbout({ protocol, original }: ConntrackEntry): Buffer {
  const { src, dst } = original;
  const six = src.family === 6;
  const type = six ? icmpv6Types.unreachable : icmpTypes.unreachable;
  const body = packet(src, dst, protocol, beginning(original));
  const message = buildIcmp(dst, src, { type, code: 0, rest: 0, body });
  const macs = { dst: macFromBits(0x020000000001n), src: macFromBits(0x020000000002n), tags: [] };
  return buildEthernet(
    { ...macs, type: six ? etherTypes.ipv6 : etherTypes.ipv4 },
    packet(dst, src, six ? protocols.icmpv6 : protocols.icmp, message),
  );
}
