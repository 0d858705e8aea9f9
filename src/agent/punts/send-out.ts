/** Packets that are this host's own: they leave by a port, past the pipeline. */
import { ports } from '../../openflow/index.ts';
import type { SwitchLinks } from '../switch/switch-links.ts';

/** Without a switch nothing is sent. */
export function sendOut(links: SwitchLinks, port: number, packets: readonly Uint8Array[]): void {
  if (!links.ready) return;
  for (const data of packets)
    links.session.packetOut({ inPort: ports.controller, data, actions: [{ type: 'output', port }] });
}
