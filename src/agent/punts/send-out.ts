/** Packets that are this host's own: they leave by a port, past the pipeline, or enter it in a router. */
import type { Family } from '../../net/cidr.ts';
import { macFromBits } from '../../net/mac.ts';
import { buildEthernet, etherTypes } from '../../net/packet/ethernet.ts';
import { ports, type Session } from '../../openflow/index.ts';
import { register } from '../../pipeline/registers.ts';
import { tables } from '../../pipeline/tables.ts';
import type { SwitchLinks } from '../switch/switch-links.ts';

/** Without a switch nothing is sent. */
export function sendOut(links: SwitchLinks, port: number, packets: readonly Uint8Array[]): void {
  if (!links.ready) return;
  for (const data of packets)
    links.session.packetOut({ inPort: ports.controller, data, actions: [{ type: 'output', port }] });
}

/** Routing writes the MACs. */
const noMac = macFromBits(0n);

export interface FromRouter {
  /** The port whose packet is the reason: without an interface, the switch loses what connection tracking holds. */
  readonly inPort: number;
  /** The router's number in registers. */
  readonly router: number;
  readonly family: Family;
  readonly packet: Uint8Array;
}

/** A router sends an IP packet of its own: the packet begins where the router chooses its way. */
export function sendFromRouter(session: Session, { inPort, router, family, packet }: FromRouter): void {
  const type = family === 4 ? etherTypes.ipv4 : etherTypes.ipv6;
  session.packetOut({
    inPort,
    data: buildEthernet({ dst: noMac, src: noMac, tags: [], type }, packet),
    actions: [
      { type: 'set_field', field: register.router, value: router },
      { type: 'resubmit', table: tables.route.id },
    ],
  });
}
