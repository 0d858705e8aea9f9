/**
 * Builds the frame that a port would send for a described packet: absent fields become what an honest guest would
 * send. Throws `BadRequest` where nothing fits.
 */
import { badRequest } from '../../model/faults.ts';
import { type Cidr, cidr, contains, formatCidr, linkLocalOf, linkLocalPrefix } from '../../net/cidr.ts';
import { broadcastMac, type Mac, macFromBits } from '../../net/mac.ts';
import { arpOps, buildArp } from '../../net/packet/arp.ts';
import { buildEthernet, etherTypes } from '../../net/packet/ethernet.ts';
import { groupMacOf } from '../../net/packet/group-mac.ts';
import { buildIcmp, icmpTypes } from '../../net/packet/icmp.ts';
import { icmpv6Types, neighbourMessage, solicitedNode, sourceOption } from '../../net/packet/icmpv6.ts';
import { buildIpv4 } from '../../net/packet/ipv4.ts';
import { buildIpv6 } from '../../net/packet/ipv6.ts';
import { buildSctp, buildTcp, buildUdp, protocols, tcpFlags } from '../../net/packet/transport.ts';
import { broadcastOf } from '../../policy/address-owners.ts';
import { sameIp } from '../../policy/identity.ts';
import type { Port, Subnet } from '../../policy/world.ts';
import type { PacketDescription } from './packet-description.ts';

/** The sending port and what is around it. */
export interface Surroundings {
  readonly port: Port;
  /** The ports of the network, the sending one included. */
  readonly neighbours: Iterable<Port>;
  readonly subnets: readonly Subnet[];
}

const defaultSourcePort = 49_152;
const defaultHopLimit = 64;

function sourceOf({ source, destination }: PacketDescription, { port }: Surroundings): Cidr {
  if (source !== null) {
    if (source.family === destination.family) return source;
    return badRequest(`${formatCidr(source)} and ${formatCidr(destination)} are of different IP versions`);
  }
  if (contains(linkLocalPrefix, destination)) return linkLocalOf(port.mac);
  const own = [...port.fixedIps, ...port.pairs.map(({ ip }) => cidr(ip.family, ip.bits))];
  return (
    own.find(({ family }) => family === destination.family) ??
    badRequest(`The port has no IPv${destination.family} address: give source_ip`)
  );
}

function sourceMacOf({ sourceMac }: PacketDescription, source: Cidr, { port }: Surroundings): Mac {
  if (sourceMac !== null) return sourceMac;
  if (port.fixedIps.some((ip) => sameIp(ip, source))) return port.mac;
  return port.pairs.find(({ ip }) => contains(ip, source))?.mac ?? port.mac;
}

/** The MAC of the port that has an address by name. */
function holderOf(address: Cidr, { neighbours }: Surroundings): Mac | null {
  for (const { fixedIps, pairs, mac } of neighbours) {
    if (fixedIps.some((ip) => sameIp(ip, address)) || sameIp(linkLocalOf(mac), address)) return mac;
    const pair = pairs.find(({ ip }) => ip.length === address.length && sameIp(ip, address));
    if (pair !== undefined) return pair.mac;
  }
  return null;
}

function destinationMacOf(destination: Cidr, around: Surroundings): Mac {
  const group = groupMacOf(destination);
  if (group !== null) return group;
  const { subnets } = around;
  const broadcasts = subnets.map(broadcastOf).filter((address) => address !== null);
  if (broadcasts.some((address) => sameIp(address, destination))) return broadcastMac;
  const holder = holderOf(destination, around);
  if (holder !== null) return holder;
  for (const { gateway, cidr: prefix } of subnets) {
    if (gateway === null || prefix.family !== destination.family) continue;
    const router = holderOf(gateway, around);
    if (router !== null) return router;
  }
  return badRequest(
    `No port of the network has ${formatCidr(destination)}, and none is a gateway: give destination_mac`,
  );
}

interface Link {
  readonly from: Mac;
  readonly to: Mac;
  readonly vlan: number | null;
}

const ethernet = ({ from, to, vlan }: Link, type: number, payload: Uint8Array): Buffer =>
  buildEthernet(
    { dst: to, src: from, tags: vlan === null ? [] : [{ tpid: etherTypes.vlan, tci: vlan }], type },
    payload,
  );

function ipFrame(
  link: Link,
  src: Cidr,
  dst: Cidr,
  protocol: number,
  hopLimit: number,
  payload: Buffer,
): Buffer {
  if (dst.family === 6) {
    const header = { src, dst, protocol, hopLimit, trafficClass: 0, flowLabel: 0, extensions: [] };
    return ethernet(link, etherTypes.ipv6, buildIpv6(header, payload));
  }
  const fields = { tos: 0, id: 0, dontFragment: true, moreFragments: false, fragmentOffset: 0 };
  const header = { src, dst, protocol, ttl: hopLimit, ...fields, options: Buffer.alloc(0) };
  return ethernet(link, etherTypes.ipv4, buildIpv4(header, payload));
}

const protocolsWithPorts: ReadonlySet<unknown> = new Set([protocols.tcp, protocols.udp, protocols.sctp]);
const icmpProtocols: ReadonlySet<unknown> = new Set(['icmp', protocols.icmp, protocols.icmpv6]);

/** A field that the packet cannot have would be lost without a word. */
function refuseForeignFields(packet: PacketDescription): void {
  const { protocol, sourcePort, destinationPort, tcpFlags: flags, operation, hopLimit } = packet;
  if (!protocolsWithPorts.has(protocol) && (sourcePort !== null || destinationPort !== null))
    badRequest('Only TCP, UDP and SCTP have ports');
  if (protocol !== protocols.tcp && flags !== null) badRequest('Only TCP has flags');
  const { icmpType, icmpCode, icmpId } = packet;
  if (!icmpProtocols.has(protocol) && (icmpType !== null || icmpCode !== null || icmpId !== null))
    badRequest('Only ICMP has a type, a code and an identifier');
  if (protocol !== 'arp' && operation !== null) badRequest('Only ARP has an operation');
  if (protocol === 'arp' && hopLimit !== null) badRequest('ARP has no hop limit');
}

function payloadOf(packet: PacketDescription, protocol: number, src: Cidr): Buffer {
  const { destination: dst, sourcePort, destinationPort, icmpType, icmpCode, icmpId } = packet;
  if (protocol === protocols.icmp || protocol === protocols.icmpv6) {
    const echo = dst.family === 4 ? icmpTypes.echo : icmpv6Types.echo;
    const rest = ((icmpId ?? 1) << 16) >>> 0;
    const message = { type: icmpType ?? echo, code: icmpCode ?? 0, rest, body: Buffer.alloc(8) };
    return buildIcmp(src, dst, message);
  }
  if (!protocolsWithPorts.has(protocol)) return Buffer.alloc(0);
  if (destinationPort === null) return badRequest('The packet needs a destination_port');
  const from = sourcePort ?? defaultSourcePort;
  if (protocol === protocols.udp) return buildUdp(src, dst, from, destinationPort, Buffer.alloc(0));
  if (protocol === protocols.sctp) return buildSctp(from, destinationPort, Buffer.alloc(4));
  const flags = (packet.tcpFlags ?? ['syn']).reduce((bits, flag) => bits | tcpFlags[flag], 0);
  const header = { srcPort: from, dstPort: destinationPort, seq: 1, ack: 0, flags, window: 65_535 };
  return buildTcp(src, dst, header, Buffer.alloc(0));
}

function arpFrame(packet: PacketDescription, src: Cidr, from: Mac, around: Surroundings): Buffer {
  const { destination: tpa, operation, destinationMac, vlan } = packet;
  if (tpa.family !== 4) return badRequest('ARP asks for IPv4 addresses: use nd');
  const asks = operation !== 'reply';
  const to = destinationMac ?? (asks ? broadcastMac : destinationMacOf(tpa, around));
  const op = asks ? arpOps.request : arpOps.reply;
  const arp = { op, sha: from, spa: src, tha: asks ? macFromBits(0n) : to, tpa };
  return ethernet({ from, to, vlan }, etherTypes.arp, buildArp(arp));
}

function solicitationFrame(packet: PacketDescription, src: Cidr, from: Mac): Buffer {
  const { destination: target, destinationMac, hopLimit, vlan } = packet;
  if (target.family !== 6) return badRequest('Neighbour discovery asks for IPv6 addresses: use arp');
  const dst = solicitedNode(target);
  const to = destinationMac ?? groupMacOf(dst) ?? broadcastMac;
  const message = neighbourMessage(icmpv6Types.neighbourSolicitation, 0, target, [sourceOption(from)]);
  const payload = buildIcmp(src, dst, message);
  return ipFrame({ from, to, vlan }, src, dst, protocols.icmpv6, hopLimit ?? 255, payload);
}

export function frameOf(packet: PacketDescription, around: Surroundings): Buffer {
  refuseForeignFields(packet);
  const { destination: dst, hopLimit, vlan } = packet;
  const src = sourceOf(packet, around);
  const from = sourceMacOf(packet, src, around);
  if (packet.protocol === 'arp') return arpFrame(packet, src, from, around);
  if (packet.protocol === 'nd') return solicitationFrame(packet, src, from);
  const icmp = dst.family === 4 ? protocols.icmp : protocols.icmpv6;
  const protocol = packet.protocol === 'icmp' ? icmp : packet.protocol;
  const payload = payloadOf(packet, protocol, src);
  const to = packet.destinationMac ?? destinationMacOf(dst, around);
  return ipFrame({ from, to, vlan }, src, dst, protocol, hopLimit ?? defaultHopLimit, payload);
}
