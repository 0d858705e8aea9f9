/**
 * Frames of a guest that makes the switch cache as many megaflows as it can: every header field that the
 * guest may choose is random. Frames follow from the seed alone.
 */
import { type Cidr, cidr, widthOf } from '../../src/net/cidr.ts';
import { broadcastMac, type Mac, macFromBits } from '../../src/net/mac.ts';
import { buildArp } from '../../src/net/packet/arp.ts';
import { buildEthernet, etherTypes } from '../../src/net/packet/ethernet.ts';
import { buildIcmp } from '../../src/net/packet/icmp.ts';
import { neighbourMessage, sourceOption, targetOption } from '../../src/net/packet/icmpv6.ts';
import { buildIpv4 } from '../../src/net/packet/ipv4.ts';
import { buildIpv6 } from '../../src/net/packet/ipv6.ts';
import { buildSctp, buildTcp, buildUdp, protocols } from '../../src/net/packet/transport.ts';
import { Random } from '../api/fuzz/random.ts';
import { fragmentsOf, tagged, udpFrame } from './frames.ts';

export interface Attacker {
  readonly mac: Mac;
  /** Prefixes of the addresses that it sends from. */
  readonly sources: readonly Cidr[];
  readonly to: Mac;
  /** Prefixes of the addresses that it sends to. */
  readonly destinations: readonly Cidr[];
}

export const attacks = ['ports', 'protocols', 'lies', 'link', 'pieces'] as const;
/**
 * `ports`: UDP with random ports, TTL and TOS. `protocols`: also TCP, SCTP, ICMP, and protocols without
 * ports. `lies`: as `protocols`, from random MAC and IP addresses. `link`: ARP, neighbour discovery, tags and
 * other ethertypes. `pieces`: single fragments of datagrams.
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

/** Link-layer frames, with fields that are sometimes true and sometimes random. */
function linkFrame(random: Random, { mac, sources, to, destinations }: Attacker): Buffer {
  const pick = <T>(own: T, other: () => T): T => (random.chance(0.6) ? own : other());
  const from = pick(mac, () => macFromBits(BigInt(random.below(2 ** 40))));
  const target = pick(to, () =>
    random.pick([broadcastMac, macFromBits(0x333300000000n | BigInt(random.below(2 ** 32)))]),
  );
  const { family } = random.pick(destinations);
  const addressIn = (prefixes: readonly Cidr[]): Cidr => {
    const prefix = random.pick(prefixes.filter((each) => each.family === family));
    return within(
      random,
      pick(prefix, () => cidr(family, 0n, 0)),
    );
  };
  const [src, dst] = [addressIn(sources), addressIn(destinations)];
  const link = { dst: target, src: mac, tags: [] };
  switch (random.pick(['address', 'address', 'tag', 'type'] as const)) {
    case 'address': {
      if (family === 4) {
        const arp = { op: random.below(5), sha: from, spa: src, tha: target, tpa: dst };
        const type = random.pick([etherTypes.arp, etherTypes.arp, etherTypes.rarp]);
        return buildEthernet({ ...link, type }, buildArp(arp));
      }
      const options = random.pick([[], [sourceOption(from)], [targetOption(from)]]);
      const message = neighbourMessage(
        random.pick([135, 136]),
        0,
        pick(src, () => dst),
        options,
      );
      const layer = { src: pick(src, () => cidr(6, 0n)), dst, hopLimit: pick(255, () => random.below(256)) };
      const header = { ...layer, trafficClass: 0, flowLabel: 0, extensions: [], protocol: protocols.icmpv6 };
      return buildEthernet(
        { ...link, type: etherTypes.ipv6 },
        buildIpv6(header, buildIcmp(src, dst, message)),
      );
    }
    case 'tag':
      return tagged(udpFrame({ from: mac, to, src, dst }, 1, 2), etherTypes.vlan, random.below(0x10000));
    case 'type':
      return buildEthernet({ ...link, type: random.below(0x10000) | 0x0600 }, Buffer.alloc(46));
  }
}

function piece(random: Random, { mac, sources, to, destinations }: Attacker): Buffer {
  const dst = random.pick(destinations);
  const src = random.pick(sources.filter(({ family }) => family === dst.family));
  const layer = { from: mac, to, src: within(random, src), dst: within(random, dst) };
  const frame = udpFrame(layer, random.below(0x10000), random.below(0x10000), Buffer.alloc(64));
  return random.pick(fragmentsOf(frame, [16, 40], random.below(0x10000)));
}

export function attackFrame(random: Random, attack: Attack, attacker: Attacker): Buffer {
  if (attack === 'link') return linkFrame(random, attacker);
  if (attack === 'pieces') return piece(random, attacker);
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

/** Prefixes that share all but their last bit with an address: between them they have every prefix length. */
export function siblings(address: Cidr, lengths: readonly number[]): Cidr[] {
  const width = widthOf(address.family);
  return lengths.map((length) => cidr(address.family, address.bits ^ (1n << BigInt(width - length)), length));
}
