/**
 * What a guest sends that wants the switch to cache as many kinds of decisions as it can: every header field that it
 * may choose is random. Frames follow from the seed alone.
 */
import { type Cidr, cidr, widthOf } from '../../src/net/cidr.ts';
import { type Mac, macFromBits } from '../../src/net/mac.ts';
import { buildEthernet, etherTypes } from '../../src/net/packet/ethernet.ts';
import { buildIcmp } from '../../src/net/packet/icmp.ts';
import { buildIpv4 } from '../../src/net/packet/ipv4.ts';
import { buildIpv6 } from '../../src/net/packet/ipv6.ts';
import { buildSctp, buildTcp, buildUdp, protocols } from '../../src/net/packet/transport.ts';
import { Random } from '../api/fuzz/random.ts';

export interface Attacker {
  readonly mac: Mac;
  /** Prefixes of the addresses that it sends from. */
  readonly sources: readonly Cidr[];
  readonly to: Mac;
  /** Prefixes of the addresses that it sends to. */
  readonly destinations: readonly Cidr[];
}

export const attacks = ['ports', 'protocols', 'lies'] as const;
/**
 * `ports`: UDP with random ports, TTL and TOS. `protocols`: the same, and TCP, SCTP, ICMP, and protocols without ports.
 * `lies`: the same from random MAC and IP addresses.
 */
export type Attack = (typeof attacks)[number];

function within(random: Random, prefix: Cidr): Cidr {
  let bits = 0n;
  for (let at = 0; at < widthOf(prefix.family); at += 16)
    bits = (bits << 16n) | BigInt(random.below(0x10000));
  const free = (1n << BigInt(widthOf(prefix.family) - prefix.length)) - 1n;
  return cidr(prefix.family, prefix.bits | (bits & free));
}

function payloadOf(random: Random, attack: Attack, src: Cidr, dst: Cidr): readonly [number, Buffer] {
  const ports = [random.below(0x10000), random.below(0x10000)] as const;
  const icmp = src.family === 4 ? protocols.icmp : protocols.icmpv6;
  const { udp, tcp, sctp, gre } = protocols;
  const kinds = [udp, udp, tcp, tcp, sctp, icmp, icmp, gre, random.below(0x100)];
  const kind = attack === 'ports' ? udp : random.pick(kinds);
  if (kind === udp) return [kind, buildUdp(src, dst, ...ports, Buffer.alloc(8))];
  if (kind === sctp) return [kind, buildSctp(...ports, Buffer.alloc(8))];
  if (kind === tcp) {
    const [srcPort, dstPort] = ports;
    const flags = random.chance(0.8) ? 2 : random.below(0x40);
    const header = { srcPort, dstPort, seq: random.below(2 ** 31), ack: 0, flags, window: 1000 };
    return [kind, buildTcp(src, dst, header, Buffer.alloc(0))];
  }
  if (kind === icmp) {
    const [type, code] = [random.below(0x100), random.chance(0.5) ? 0 : random.below(0x100)];
    return [kind, buildIcmp(src, dst, { type, code, rest: random.below(2 ** 31), body: Buffer.alloc(8) })];
  }
  return [kind, Buffer.alloc(32, random.below(0x100))];
}

export function attackFrame(random: Random, attack: Attack, attacker: Attacker): Buffer {
  const lies = attack === 'lies';
  const to = random.pick(attacker.destinations);
  const anywhere = cidr(to.family, 0n, 0);
  const own = attacker.sources.filter(({ family }) => family === to.family);
  const src = within(random, lies && random.chance(0.8) ? anywhere : random.pick(own));
  const dst = within(random, lies && random.chance(0.3) ? anywhere : to);
  const [protocol, payload] = payloadOf(random, attack, src, dst);
  const [hops, service] = [random.below(0x100), random.below(0x100)];
  const from = lies && random.chance(0.1) ? macFromBits(BigInt(random.below(2 ** 40))) : attacker.mac;
  const link = { dst: attacker.to, src: from, tags: [] };
  if (src.family === 6) {
    const header = { src, dst, hopLimit: hops, trafficClass: service, flowLabel: random.below(0x100000) };
    const packet = buildIpv6({ ...header, extensions: [], protocol }, payload);
    return buildEthernet({ ...link, type: etherTypes.ipv6 }, packet);
  }
  const whole = { dontFragment: false, moreFragments: false, fragmentOffset: 0, options: Buffer.alloc(0) };
  const header = { src, dst, protocol, ttl: hops, tos: service, id: random.below(0x10000), ...whole };
  return buildEthernet({ ...link, type: etherTypes.ipv4 }, buildIpv4(header, payload));
}

export function attackFrames(count: number, attack: Attack, attacker: Attacker, seed = 1): Buffer[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => attackFrame(random, attack, attacker));
}

/** The prefixes that share all but their last bit with an address: between them every length of prefix is met. */
export function siblings(address: Cidr, lengths: readonly number[]): Cidr[] {
  const width = widthOf(address.family);
  return lengths.map((length) => cidr(address.family, address.bits ^ (1n << BigInt(width - length)), length));
}
