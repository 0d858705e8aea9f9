/** Neighbour discovery and multicast listener discovery: sources, targets and link-layer options of all kinds. */
import type { Cidr } from '../../../src/net/cidr.ts';
import type { Mac } from '../../../src/net/mac.ts';
import type { Icmp } from '../../../src/net/packet/icmp.ts';
import {
  listenerMessage,
  listenerReport2,
  type NdOption,
  neighbourMessage,
  redirect,
  routerAdvertisement,
  routerSolicitation,
  sourceOption,
  targetOption,
} from '../../../src/net/packet/icmpv6.ts';
import type { DropReason } from '../../../src/policy/drop-reasons.ts';
import { groupMac, icmpFrame, ip } from '../../lib/frames.ts';
import {
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
import { isCut, longBody, type Wrapping, wrappings6 } from './wrappings.ts';

interface Scene {
  readonly from: Named<Mac>;
  readonly src: Named<Cidr>;
  readonly hopLimit: number;
}

const allNodes = ip('ff02::1');
const group = ip('ff02::1:ff00:a');
/** An option of experimental type (RFC 4727) that makes a message long enough to be cut fairly. */
const filler: NdOption = { type: 253, body: Buffer.alloc(longBody - 10) };
const all6 = named<Cidr>(
  addresses6,
  'fixed',
  'vip',
  'linkLocal',
  'foreign',
  'gateway',
  'foreignLinkLocal',
  'unspecified',
);

let datagrams = 0;

/** `inner` is what an unwrapped message deserves; cut to pieces or hidden, none of these may ever pass. */
function judge(scene: Scene, wrapping: Wrapping, inner: DropReason | null): DropReason | null {
  if (wrapping.effect === 'tag') return 'vlan-tagged';
  const outer = sourceReason(scene.from[1]);
  if (outer !== null) return outer;
  if (!isCut(wrapping) && wrapping.effect !== 'hollow') return inner;
  return isOwn(scene.src[1], scene.from[1]) ? 'ct-invalid' : 'ip-spoof';
}

function make(
  name: string,
  scene: Scene,
  wrapping: Wrapping,
  dst: Cidr,
  message: Icmp,
  inner: DropReason | null,
): Entry {
  const to = groupMac(dst) ?? macs.peer;
  const { hopLimit } = scene;
  const layer = {
    from: scene.from[1],
    to,
    src: scene.src[1],
    dst,
    hopLimit,
    extensions: wrapping.extensions,
  };
  const text = `${name}, eth_src ${scene.from[0]}, src ${scene.src[0]}, hop limit ${hopLimit}, ${wrapping.name}`;
  const long = isCut(wrapping)
    ? Buffer.alloc(message.body.length < longBody ? longBody : 0)
    : Buffer.alloc(0);
  const body = Buffer.concat([message.body, long]);
  return entry(
    text,
    wrapping.apply(icmpFrame(layer, { ...message, body }), ++datagrams),
    judge(scene, wrapping, inner),
  );
}

function* scenes(hopLimits: readonly number[], addresses = all6): Generator<Scene> {
  for (const from of sources)
    for (const src of addresses) for (const hopLimit of hopLimits) yield { from, src, hopLimit };
}

const linkMacs: readonly Named<readonly Mac[]>[] = [
  ['absent', []],
  ['own', [macs.own]],
  ['of the pair', [macs.pair]],
  ['foreign', [macs.foreign]],
  ['own, then foreign', [macs.own, macs.foreign]],
];

const targets = named<Cidr>(
  addresses6,
  'fixed',
  'vip',
  'linkLocal',
  'foreign',
  'gateway',
  'unknownLinkLocal',
  'unspecified',
);

const honestOption = (links: readonly Mac[], from: Mac): boolean =>
  links.length === 0 || (links.length === 1 && links[0] === from);

function solicitationReason(
  { from, src, hopLimit }: Scene,
  links: readonly Mac[],
  target: Cidr,
): DropReason | null {
  if (hopLimit !== 255 || target.bits === 0n || links.length > 1) return 'nd-spoof';
  if (src[1].bits !== 0n) return isOwn(src[1], from[1]) && honestOption(links, from[1]) ? null : 'nd-spoof';
  if (links.length > 0) return 'nd-spoof';
  if (isOwn(target, from[1])) return null;
  return target.bits >> 118n === 0x3fan ? 'dad-pending' : 'nd-spoof';
}

function advertisementReason(
  { from, src, hopLimit }: Scene,
  links: readonly Mac[],
  target: Cidr,
): DropReason | null {
  const honest = isOwn(src[1], from[1]) && isOwn(target, from[1]) && honestOption(links, from[1]);
  return hopLimit === 255 && honest ? null : 'nd-spoof';
}

function* neighbours(): Generator<Entry> {
  for (const scene of scenes([255, 254]))
    for (const [linkName, links] of linkMacs)
      for (const [targetName, target] of targets)
        for (const wrapping of wrappings6) {
          // A wrong hop limit and the odd wrappings together say nothing that they do not say apart.
          if (scene.hopLimit !== 255 && wrapping.name !== 'plain') continue;
          const text = `link-layer option ${linkName}, target ${targetName}`;
          const fill = isCut(wrapping) ? [filler] : [];
          const asked = neighbourMessage(135, 0, target, [...links.map(sourceOption), ...fill]);
          const told = neighbourMessage(136, 0x20000000, target, [...links.map(targetOption), ...fill]);
          yield make(
            `NS ${text}`,
            scene,
            wrapping,
            allNodes,
            asked,
            solicitationReason(scene, links, target),
          );
          yield make(
            `NA ${text}`,
            scene,
            wrapping,
            allNodes,
            told,
            advertisementReason(scene, links, target),
          );
        }
}

function* routers(): Generator<Entry> {
  for (const scene of scenes([255, 1]))
    for (const wrapping of wrappings6) {
      const { from, src, hopLimit } = scene;
      const fill = isCut(wrapping) ? [filler] : [];
      const open = hopLimit === 255 && (src[1].bits === 0n || isOwn(src[1], from[1]));
      yield make('RS', scene, wrapping, ip('ff02::2'), routerSolicitation(fill), open ? null : 'nd-spoof');
      yield make('RA', scene, wrapping, allNodes, routerAdvertisement(1800, fill), 'ra');
      const turned = redirect(addresses6.foreign, addresses6.peer, fill);
      yield make('redirect', scene, wrapping, addresses6.peer, turned, 'redirect');
    }
}

/** What only routers say, and what nobody says on Ethernet. */
const routerMessages: readonly (readonly [name: string, type: number, dst: Cidr, reason: DropReason])[] = [
  ['router renumbering', 138, allNodes, 'router-message'],
  ['inverse NS', 141, allNodes, 'nd-spoof'],
  ['inverse NA', 142, addresses6.peer, 'nd-spoof'],
  ['multicast router advertisement', 151, ip('ff02::6a'), 'router-message'],
  ['multicast router termination', 153, ip('ff02::6a'), 'router-message'],
  ['RPL control', 155, ip('ff02::1a'), 'router-message'],
];

function* others(): Generator<Entry> {
  const body = Buffer.alloc(32);
  for (const scene of scenes([255, 1]))
    for (const wrapping of wrappings6)
      for (const [name, type, dst, reason] of routerMessages)
        yield make(name, scene, wrapping, dst, { type, code: 0, rest: 0, body }, reason);
}

/** RFC 4861: of a code other than 0 nothing is discovery, and who would read it as such is misled by any content. */
function* codes(): Generator<Entry> {
  const messages: readonly Named<Icmp>[] = [
    ['NS', neighbourMessage(135, 0, addresses6.fixed, [sourceOption(macs.own)])],
    ['NA', neighbourMessage(136, 0x20000000, addresses6.fixed, [targetOption(macs.own)])],
    ['NA for another', neighbourMessage(136, 0x20000000, addresses6.foreign, [targetOption(macs.own)])],
    ['RS', routerSolicitation([])],
  ];
  for (const scene of scenes([255]))
    for (const wrapping of wrappings6)
      for (const code of [1, 255])
        for (const [name, message] of messages)
          yield make(`${name} of code ${code}`, scene, wrapping, allNodes, { ...message, code }, 'nd-spoof');
}

const reports: readonly Named<Icmp>[] = [
  ['MLD report', listenerMessage(131, group)],
  ['MLD done', listenerMessage(132, group)],
  ['MLDv2 report', listenerReport2([group])],
];

function* listeners(): Generator<Entry> {
  for (const scene of scenes([1, 64]))
    for (const wrapping of wrappings6) {
      const query = listenerMessage(130, ip('::'));
      yield make('MLD query', scene, wrapping, allNodes, query, 'mld-query');
      // RFC 2710 3.2: receivers ignore the code.
      yield make('MLD query of code 1', scene, wrapping, allNodes, { ...query, code: 1 }, 'mld-query');
      yield make('MLD query to one', scene, wrapping, addresses6.peer, query, 'mld-query');
      const { from, src, hopLimit } = scene;
      const own = isOwn(src[1], from[1]);
      for (const dst of [ip('ff02::16'), addresses6.peer]) {
        const multicast = dst !== addresses6.peer;
        const formed = multicast && hopLimit === 1;
        const report = own || src[1].bits === 0n;
        const inner = formed ? (report ? null : 'ip-spoof') : 'nd-spoof';
        const to = multicast ? 'a group' : 'a neighbour';
        for (const [name, message] of reports)
          yield make(`${name} to ${to}`, scene, wrapping, dst, message, inner);
      }
    }
}

export const ndMatrix = (): Entry[] => [
  ...neighbours(),
  ...codes(),
  ...routers(),
  ...others(),
  ...listeners(),
];
