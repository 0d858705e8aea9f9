/**
 * Which conntrack zone each network has on this host. Zones outlive the agent and, with a kernel datapath, the
 * switch, so they are written into the bridge's external_ids before they are used; a network that comes back
 * finds its connections again. Pure: allocation from what is recorded.
 */
import { findByName, type RowSource } from '../ovsdb/index.ts';
import type { NetworkId } from '../policy/world.ts';

const prefix = 'portcullis-zone-';
const lastZone = 65_535;

export type Zones = ReadonlyMap<NetworkId, number>;

/** The record of the bridge; entries that are no zones are not there. */
export function recordedZones(rows: RowSource, bridge: string): Map<NetworkId, number> {
  const zones = new Map<NetworkId, number>();
  for (const [key, value] of findByName(rows, 'Bridge', bridge)?.row.external_ids ?? []) {
    const zone = Number(value);
    if (!key.startsWith(prefix) || !Number.isInteger(zone) || zone < 1 || zone > lastZone) continue;
    zones.set(key.slice(prefix.length) as NetworkId, zone);
  }
  return zones;
}

export const zoneRecord = (network: NetworkId): string => `${prefix}${network}`;

export interface Allocation {
  readonly fresh: ReadonlyMap<NetworkId, number>;
  /** Records of networks that no longer exist. */
  readonly forgotten: readonly NetworkId[];
}

/** Zones for the networks of `needed` that have none. A number that a network has is never moved. */
export function allocateZones(
  recorded: Zones,
  needed: Iterable<NetworkId>,
  known: (network: NetworkId) => boolean,
): Allocation {
  const fresh = new Map<NetworkId, number>();
  const missing = [...new Set(needed)].filter((network) => !recorded.has(network));
  // Networks that no longer exist give their numbers back; the zone is flushed before its next use.
  const forgotten = [...recorded.keys()].filter((network) => !known(network));
  const taken = new Set([...recorded].filter(([network]) => known(network)).map(([, zone]) => zone));
  let next = 1;
  for (const network of missing) {
    while (taken.has(next)) next++;
    if (next > lastZone) break;
    taken.add(next);
    fresh.set(network, next);
  }
  return { fresh, forgotten };
}
