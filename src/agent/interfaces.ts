/**
 * The switch's database as the agent needs it: which interfaces of the bridge carry which ports, under what
 * OpenFlow number. Pure reading of rows.
 */
import { findByName, type RowSource } from '../ovsdb/index.ts';
import type { PortId } from '../policy/world.ts';

export interface PluggedInterface {
  readonly port: PortId;
  readonly name: string;
  readonly ofport: number;
}

/** `external_ids:iface-id`, the key by which hypervisors say which port an interface is. */
const portKey = 'iface-id';

/**
 * The plugged ports of a bridge, by port id. Interfaces without a number (being added, or failed) are not
 * there yet. Where two interfaces claim one port, as during a re-plug, the newer number wins: the older device
 * is on its way out.
 */
export function pluggedInterfaces(rows: RowSource, bridge: string): Map<PortId, PluggedInterface> {
  const plugged = new Map<PortId, PluggedInterface>();
  const interfaces = rows.rows('Interface');
  const ports = rows.rows('Port');
  for (const portUuid of findByName(rows, 'Bridge', bridge)?.row.ports ?? []) {
    for (const uuid of ports.get(portUuid)?.interfaces ?? []) {
      const row = interfaces.get(uuid);
      const port = row?.external_ids.get(portKey) as PortId | undefined;
      if (row === undefined || port === undefined || row.ofport === null || row.ofport <= 0) continue;
      const rival = plugged.get(port);
      if (rival === undefined || rival.ofport < row.ofport)
        plugged.set(port, { port, name: row.name, ofport: row.ofport });
    }
  }
  return plugged;
}
