/**
 * The plugged ports: which interface of the bridge carries which port, and its OpenFlow port number. Reads the rows of
 * the switch's database, changes nothing.
 */
import { findByName, type RowSource } from '../../ovsdb/index.ts';
import type { PortId } from '../../policy/world.ts';

export interface PluggedInterface {
  readonly port: PortId;
  readonly name: string;
  readonly ofport: number;
}

/** Two interfaces claim one port: `name` has it, `out` is plugged for nothing. */
export interface Rival {
  readonly port: PortId;
  readonly name: string;
  readonly out: string;
}

/** `external_ids:iface-id`, the key by which hypervisors say which port an interface is. */
const portKey = 'iface-id';

/**
 * Remembers in which order interfaces came to claim their ports. Where two claim one, as during a re-plug, the
 * later has it: the earlier device is on its way out. Numbers cannot tell, because a freed one is used again; only
 * for claims that were there at the first look, after a start of the agent, the higher one has to do.
 */
export class PluggedInterfaces {
  #claims = new Map<string, number>();
  #looks = 0;
  /** What was told last of each port that two interfaces claim. */
  #rivals = new Map<PortId, string>();
  readonly #onRival: (rival: Rival) => void;

  /** `onRival` hears once of each pair of interfaces of which one has the port and the other claims it too. */
  constructor(onRival: (rival: Rival) => void) {
    this.#onRival = onRival;
  }

  /**
   * The plugged ports of a bridge, by port id. Interfaces without a number (being added, or failed) are not
   * there yet.
   */
  read(rows: RowSource, bridge: string): Map<PortId, PluggedInterface> {
    const plugged = new Map<PortId, PluggedInterface & { readonly since: number }>();
    const claims = new Map<string, number>();
    const rivals = new Map<PortId, string>();
    const look = ++this.#looks;
    const interfaces = rows.rows('Interface');
    const ports = rows.rows('Port');
    for (const portUuid of findByName(rows, 'Bridge', bridge)?.row.ports ?? []) {
      for (const uuid of ports.get(portUuid)?.interfaces ?? []) {
        const row = interfaces.get(uuid);
        const port = row?.external_ids.get(portKey) as PortId | undefined;
        if (row === undefined || port === undefined || row.ofport === null || row.ofport <= 0) continue;
        const claim = `${uuid}|${port}`;
        const since = this.#claims.get(claim) ?? look;
        claims.set(claim, since);
        const rival = plugged.get(port);
        const later =
          rival === undefined || rival.since < since || (rival.since === since && rival.ofport < row.ofport);
        if (later) plugged.set(port, { port, name: row.name, ofport: row.ofport, since });
        if (rival !== undefined) rivals.set(port, later ? rival.name : row.name);
      }
    }
    this.#claims = claims;
    this.#tell(plugged, rivals);
    return plugged;
  }

  #tell(plugged: ReadonlyMap<PortId, PluggedInterface>, rivals: ReadonlyMap<PortId, string>): void {
    const pairs = new Map<PortId, string>();
    for (const [port, out] of rivals) {
      const name = plugged.get(port)?.name ?? '';
      const pair = `${name}|${out}`;
      pairs.set(port, pair);
      if (this.#rivals.get(port) !== pair) this.#onRival({ port, name, out });
    }
    this.#rivals = pairs;
  }
}
