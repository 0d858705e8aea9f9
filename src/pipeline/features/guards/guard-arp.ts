/**
 * ARP and RARP of a guarded port: eth_src, sender hardware and sender protocol address are one pair of the port.
 * A probe (RFC 5227) may name only the port's own address: a probe for another's makes its holder give it up.
 * A prefix pair gives the addresses that are not reserved.
 * RARP is the announcement that a hypervisor sends for a migrated guest: it carries no address but the MAC.
 */
import { isHost } from '../../../net/cidr.ts';
import { macToBits } from '../../../net/mac.ts';
import { arpOps } from '../../../net/packet/arp.ts';
import { type Draft, drop, flow } from '../../draft.ts';
import { type LocalPort, sentBy } from '../../local-port.ts';
import { address, arp, rarp } from '../../matches.ts';
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { PassReason } from '../../tables.ts';

export function guardArp(local: LocalPort): Draft[] {
  const { port, macs, named, prefixes } = local;
  const from = sentBy(local);
  const pass = { goto: after('egressRules') } as const;
  const because = (reason: PassReason) => ({ reason, port: port.id });
  const drafts: Draft[] = [
    drop('guard_arp', 'spoofed', from, { reason: 'arp-spoof', drop: 'egress', port: port.id }),
  ];

  for (const mac of macs) {
    const own = { ...from, eth_src: macToBits(mac), arp_sha: macToBits(mac) };
    const announcement = { ...rarp, ...own, arp_op: arpOps.reverseRequest, arp_spa: 0, arp_tpa: 0 };
    drafts.push(
      flow('guard_arp', 'own', { ...announcement, arp_tha: macToBits(mac) }, pass, because('rarp')),
    );
    if (port.mode === 'mac-only')
      drafts.push(flow('guard_arp', 'own', { ...arp, ...own }, pass, because('own-mac')));
  }
  if (port.mode === 'mac-only') return drafts;

  for (const { mac, ip } of [...named, ...prefixes]) {
    if (ip.family !== 4) continue;
    const own = { ...arp, ...from, eth_src: macToBits(mac), arp_sha: macToBits(mac) };
    const claim = { ...own, ...(isHost(ip) ? {} : { [register.sourceReserved]: 0 }), arp_spa: address(ip) };
    const target = { ...(isHost(ip) ? {} : { [register.targetReserved]: 0 }), arp_tpa: address(ip) };
    const probe = { ...own, ...target, arp_op: arpOps.request, arp_spa: 0 };
    drafts.push(
      flow('guard_arp', 'own', claim, pass, because('pair')),
      flow('guard_arp', 'probe', probe, pass, because('probe')),
    );
  }
  return drafts;
}
