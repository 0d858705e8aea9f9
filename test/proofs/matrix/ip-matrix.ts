/** IP, DHCP, IGMP and what ICMP's routers say, of both families; and what is neither IP nor ARP. */
import type { Cidr } from '../../../src/net/cidr.ts';
import type { Mac } from '../../../src/net/mac.ts';
import { buildEthernet } from '../../../src/net/packet/ethernet.ts';
import type { DropReason } from '../../../src/policy/drop-reasons.ts';
import { dhcpFrame, groupMac, icmpFrame, ip, ipFrame, type Network, udpFrame } from '../../lib/frames.ts';
import {
  addresses4,
  addresses6,
  type Entry,
  entry,
  isOwn,
  macs,
  type Named,
  named,
  sourceReason,
  sources,
} from './matrix.ts';
import { isCut, longBody, tags, type Wrapping, wrappings4, wrappings6 } from './wrappings.ts';

/**
 * What is said, of both families or of one. `reason` is what it deserves from an own address; `client` is a DHCP
 * client's first word, which needs no address.
 */
interface Speech {
  readonly name: string;
  readonly families: readonly (4 | 6)[];
  readonly reason: DropReason | null;
  /** The reason does not depend on the source address. */
  readonly first?: true;
  readonly client?: true;
  /** Where it goes when not to the neighbour. */
  readonly to?: { readonly 4?: string; readonly 6?: string };
  readonly frame: (layer: Network, body: Buffer) => Buffer;
}

let datagrams = 0x4000;

const both = [4, 6] as const;
/** A DHCP answer from a port; clients listen at 68 or, of DHCPv6, at 546. */
const answer = (from: number) => (layer: Network, body: Buffer) =>
  udpFrame(layer, from, layer.src.family === 6 ? 546 : 68, body);
const icmp = (type: number) => (layer: Network, body: Buffer) =>
  icmpFrame(layer, { type, code: 0, rest: 0x01020708, body: Buffer.concat([body, Buffer.alloc(20)]) });
/** Types: 0x11 query, 0x16 and 0x22 reports, 0x17 leave, 0x30 and 0x32 of multicast routers. */
const igmp = (type: number) => (layer: Network, body: Buffer) => {
  const message = Buffer.concat([Buffer.from([type, 0]), body]);
  return ipFrame({ ...layer, hopLimit: 1 }, 2, message);
};
const group = '239.1.2.3';

const speeches: readonly Speech[] = [
  {
    name: 'traffic',
    families: both,
    reason: null,
    // A source port of its own keeps every entry's connection apart.
    frame: (layer, body) => udpFrame(layer, 1024 + datagrams, 2000, body),
  },
  {
    name: 'dhcp client',
    families: both,
    reason: null,
    client: true,
    frame: (layer, body) =>
      layer.src.family === 6
        ? udpFrame(layer, 546, 547, body)
        : dhcpFrame(layer, 'client', layer.from, body.length - 8),
  },
  {
    name: 'dhcp server',
    families: both,
    reason: 'dhcp-server',
    frame: (layer, body) =>
      layer.src.family === 6
        ? answer(547)(layer, body)
        : dhcpFrame(layer, 'server', layer.from, body.length - 8),
  },
  { name: 'dhcp answer from 4000', families: both, reason: 'dhcp-server', frame: answer(4000) },
  { name: 'dhcp answer from a client', families: [4], reason: 'dhcp-server', frame: answer(68) },
  {
    name: 'dhcp answer to all',
    families: both,
    reason: 'dhcp-server',
    to: { 4: '255.255.255.255', 6: 'ff02::1' },
    frame: answer(4000),
  },
  { name: 'icmp redirect', families: [4], reason: 'redirect', frame: icmp(5) },
  { name: 'icmp router advertisement', families: [4], reason: 'ra', frame: icmp(9) },
  {
    name: 'igmp query',
    families: [4],
    reason: 'igmp-query',
    first: true,
    to: { 4: '224.0.0.1' },
    frame: igmp(0x11),
  },
  { name: 'igmp query to one', families: [4], reason: 'igmp-query', first: true, frame: igmp(0x11) },
  // Nothing that the switch sees tells it from a report on the group; the receivers' rules decide.
  { name: 'igmp query of a group', families: [4], reason: null, to: { 4: group }, frame: igmp(0x11) },
  { name: 'igmp report', families: [4], reason: null, to: { 4: group }, frame: igmp(0x16) },
  { name: 'igmp leave', families: [4], reason: null, to: { 4: '224.0.0.2' }, frame: igmp(0x17) },
  { name: 'igmpv3 report', families: [4], reason: null, to: { 4: '224.0.0.22' }, frame: igmp(0x22) },
  {
    name: 'multicast router advertisement',
    families: [4],
    reason: 'router-message',
    first: true,
    to: { 4: '224.0.0.106' },
    frame: igmp(0x30),
  },
  {
    name: 'multicast router termination',
    families: [4],
    reason: 'router-message',
    first: true,
    to: { 4: '224.0.0.106' },
    frame: igmp(0x32),
  },
  {
    name: 'llmnr',
    families: both,
    reason: null,
    to: { 4: '224.0.0.252', 6: 'ff02::1:3' },
    frame: (layer, body) => udpFrame(layer, 1024 + datagrams, 5355, body),
  },
];
const sources4 = named<Cidr>(addresses4, 'fixed', 'prefix', 'vip', 'foreign', 'gateway', 'unspecified');
const sources6 = named<Cidr>(
  addresses6,
  'fixed',
  'vip',
  'linkLocal',
  'pairLinkLocal',
  'foreign',
  'gateway',
  'foreignLinkLocal',
  'unknownLinkLocal',
  'unspecified',
);

function judge(speech: Speech, from: Mac, src: Cidr, wrapping: Wrapping): DropReason | null {
  if (wrapping.effect === 'tag') return 'vlan-tagged';
  const outer = sourceReason(from);
  if (outer !== null) return outer;
  if (speech.first === true) return speech.reason;
  const own = isOwn(src, from);
  const booting = speech.client === true && src.family === 4 && src.bits === 0n;
  // A client that boots sends one small packet: in pieces it is no longer that exception.
  if (!own && !(booting && !isCut(wrapping))) return 'ip-spoof';
  if (wrapping.effect === 'shreds' || wrapping.effect === 'hollow') return 'ct-invalid';
  return speech.reason;
}

function frameOf({ to, frame }: Speech, from: Mac, src: Cidr, wrapping: Wrapping): Buffer {
  const { family } = src;
  const other = to?.[family];
  const dst = other === undefined ? (family === 6 ? addresses6 : addresses4).peer : ip(other);
  const link = { from, to: groupMac(dst) ?? macs.peer };
  const layer = { ...link, src, dst, extensions: wrapping.extensions, id: ++datagrams };
  return frame(layer, Buffer.alloc((isCut(wrapping) ? longBody : 0) + 8));
}

/**
 * Of a datagram in pieces that goes to several, the switch judges each piece by itself (see conntrack.ts): what is
 * forbidden never comes together, but its later pieces arrive, and rules that ask for no port let all of it through.
 */
const tellsPieces = ({ to }: Speech, wrapping: Wrapping): boolean => to === undefined || !isCut(wrapping);

function* packets(
  addresses: readonly Named<Cidr>[],
  wrappings: readonly Wrapping[],
  family: 4 | 6,
): Generator<Entry> {
  for (const speech of speeches) {
    if (!speech.families.includes(family)) continue;
    for (const [fromName, from] of sources)
      for (const [srcName, src] of addresses)
        for (const wrapping of wrappings) {
          if (!tellsPieces(speech, wrapping)) continue;
          const frame = frameOf(speech, from, src, wrapping);
          const text = `IPv${family} ${speech.name}, eth_src ${fromName}, src ${srcName}, ${wrapping.name}`;
          yield entry(text, wrapping.apply(frame, datagrams), judge(speech, from, src, wrapping));
        }
  }
}

const foreignTypes: readonly Named<number>[] = [
  ['LLDP', 0x88cc],
  ['PPPoE', 0x8864],
  ['MPLS', 0x8847],
  ['802.1ah', 0x88e7],
  ['old QinQ', 0x9100],
  ['EAPOL', 0x888e],
];

function* otherTypes(): Generator<Entry> {
  for (const [fromName, from] of sources)
    for (const [typeName, type] of foreignTypes)
      for (const { name, effect, apply } of tags) {
        const frame = buildEthernet({ dst: macs.peer, src: from, tags: [], type }, Buffer.alloc(46));
        const inner = sourceReason(from) ?? 'ethertype';
        const reason = effect === 'tag' ? 'vlan-tagged' : inner;
        yield entry(`${typeName}, eth_src ${fromName}, ${name}`, apply(frame, 0), reason);
      }
}

export const ipMatrix = (): Entry[] => [
  ...packets(sources4, wrappings4, 4),
  ...packets(sources6, wrappings6, 6),
  ...otherTypes(),
];
