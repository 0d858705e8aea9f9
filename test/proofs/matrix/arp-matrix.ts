/** ARP and RARP: every combination of who the Ethernet header, the hardware and the protocol address name. */

import type { Cidr } from '../../../src/net/cidr.ts';
import { broadcastMac, type Mac } from '../../../src/net/mac.ts';
import type { DropReason } from '../../../src/policy/drop-reasons.ts';
import { arpFrame, rarpFrame } from '../../lib/frames.ts';
import { addresses4, type Entry, entry, isOwn, macs, named, sourceReason, sources } from './matrix.ts';
import { tags } from './wrappings.ts';

const hardware = named<Mac>(macs, 'own', 'pair', 'foreign', 'none');
const senders = named<Cidr>(addresses4, 'fixed', 'prefix', 'vip', 'foreign', 'gateway', 'unspecified');
/** Nobody whom the switch would answer for. */
const targets = named<Cidr>(addresses4, 'fixed', 'vip', 'foreign', 'gateway');

function arpReason(from: Mac, op: number, sha: Mac, spa: Cidr, tpa: Cidr): DropReason | null {
  const outer = sourceReason(from);
  if (outer !== null) return outer;
  if (sha !== from) return 'arp-spoof';
  const probe = op === 1 && spa.bits === 0n && isOwn(tpa, from);
  return probe || isOwn(spa, from) ? null : 'arp-spoof';
}

function* arps(): Generator<Entry> {
  for (const [fromName, from] of sources)
    for (const [shaName, sha] of hardware)
      for (const [spaName, spa] of senders)
        for (const [tpaName, tpa] of targets)
          for (const op of [1, 2])
            for (const { name, effect, apply } of tags) {
              const frame = arpFrame({ from, to: broadcastMac, op, sha, spa, tha: macs.none, tpa });
              const text = `ARP op ${op}, eth_src ${fromName}, sha ${shaName}, spa ${spaName}, tpa ${tpaName}, ${name}`;
              const reason = effect === 'tag' ? 'vlan-tagged' : arpReason(from, op, sha, spa, tpa);
              yield entry(text, apply(frame, 0), reason);
            }
}

function* rarps(): Generator<Entry> {
  for (const [fromName, from] of sources)
    for (const [shaName, sha] of hardware)
      for (const [thaName, tha] of hardware)
        for (const [spaName, spa] of named<Cidr>(addresses4, 'unspecified', 'fixed'))
          for (const op of [3, 4])
            for (const { name, effect, apply } of tags) {
              const to = broadcastMac;
              const frame = rarpFrame({ from, to, op, sha, spa, tha, tpa: addresses4.unspecified });
              const text = `RARP op ${op}, eth_src ${fromName}, sha ${shaName}, tha ${thaName}, spa ${spaName}, ${name}`;
              const honest = op === 3 && sha === from && tha === from && spa.bits === 0n;
              const inner = sourceReason(from) ?? (honest ? null : 'arp-spoof');
              yield entry(text, apply(frame, 0), effect === 'tag' ? 'vlan-tagged' : inner);
            }
}

export const arpMatrix = (): Entry[] => [...arps(), ...rarps()];
