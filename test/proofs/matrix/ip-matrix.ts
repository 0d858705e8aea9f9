/** IP, DHCP and ICMP redirects of both families, and what is neither IP nor ARP. */
import type { Cidr } from '../../../src/net/cidr.ts';
import type { Mac } from '../../../src/net/mac.ts';
import { buildEthernet } from '../../../src/net/packet/ethernet.ts';
import type { DropReason } from '../../../src/policy/verdict.ts';
import { dhcpFrame, icmpFrame, udpFrame } from '../../lib/frames.ts';
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

type Speech = 'traffic' | 'dhcp client' | 'dhcp server' | 'icmp redirect';

const speeches: readonly Speech[] = ['traffic', 'dhcp client', 'dhcp server', 'icmp redirect'];
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

let datagrams = 0x4000;

function judge(speech: Speech, from: Mac, src: Cidr, wrapping: Wrapping): DropReason | null {
  if (wrapping.effect === 'tag') return 'vlan-tagged';
  const outer = sourceReason(from);
  if (outer !== null) return outer;
  const own = isOwn(src, from);
  const booting = speech === 'dhcp client' && src.family === 4 && src.bits === 0n;
  // A client that boots sends one small packet: in pieces it is no longer that exception.
  if (!own && !(booting && !isCut(wrapping))) return 'ip-spoof';
  if (wrapping.effect === 'shreds' || wrapping.effect === 'hollow') return 'ct-invalid';
  if (speech === 'dhcp server') return 'dhcp-server';
  return speech === 'icmp redirect' ? 'redirect' : null;
}

function frameOf(speech: Speech, from: Mac, src: Cidr, wrapping: Wrapping): Buffer {
  const six = src.family === 6;
  const dst = six ? addresses6.peer : addresses4.peer;
  const layer = { from, to: macs.peer, src, dst, extensions: wrapping.extensions, id: ++datagrams };
  const size = isCut(wrapping) ? longBody : 0;
  const body = Buffer.alloc(size + 8);
  switch (speech) {
    case 'dhcp client':
      return six ? udpFrame(layer, 546, 547, body) : dhcpFrame(layer, 'client', from, size);
    case 'dhcp server':
      return six ? udpFrame(layer, 547, 546, body) : dhcpFrame(layer, 'server', from, size);
    case 'icmp redirect':
      return icmpFrame(layer, { type: 5, code: 1, rest: 0x0a00000b, body: Buffer.alloc(size + 28) });
    default:
      // A source port of its own keeps every entry's connection apart.
      return udpFrame(layer, 1024 + datagrams, 2000, body);
  }
}

function* packets(
  addresses: readonly Named<Cidr>[],
  wrappings: readonly Wrapping[],
  family: 4 | 6,
): Generator<Entry> {
  for (const speech of speeches) {
    // ICMPv6's redirect belongs to neighbour discovery.
    if (speech === 'icmp redirect' && family === 6) continue;
    for (const [fromName, from] of sources)
      for (const [srcName, src] of addresses)
        for (const wrapping of wrappings) {
          const frame = frameOf(speech, from, src, wrapping);
          const text = `IPv${family} ${speech}, eth_src ${fromName}, src ${srcName}, ${wrapping.name}`;
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
