/**
 * Which conntrack zone each network has on this host. Zones outlive the agent and, with a kernel datapath, the
 * switch, so they are written into the bridge's external_ids before they are used; a network that comes back
 * finds its connections again. Pure: allocation from what is recorded.
 */
import { findByName, type RowSource } from '../../ovsdb/index.ts';
import { isZone, type Zone } from '../../pipeline/zone.ts';
import type { NetworkId } from '../../policy/world.ts';

const prefix = 'portcullis-zone-';

export type Zones = ReadonlyMap<NetworkId, Zone>;

/** The record of the bridge; entries that are no zones are not there, nor is a second network in one zone. */
export function recordedZones(rows: RowSource, bridge: string): Map<NetworkId, Zone> {
  const zones = new Map<NetworkId, Zone>();
  const taken = new Set<Zone>();
  for (const [key, value] of [...(findByName(rows, 'Bridge', bridge)?.row.external_ids ?? [])].sort()) {
    const zone = Number(value);
    if (!key.startsWith(prefix) || !isZone(zone)) continue;
    if (taken.has(zone)) continue;
    taken.add(zone);
    zones.set(key.slice(prefix.length) as NetworkId, zone);
  }
  return zones;
}

export const zoneRecord = (network: NetworkId): string => `${prefix}${network}`;

/**
 * Zones for the networks of `needed` that have none. A number that a network has is never moved, and none is
 * given out while it is recorded for anyone.
 */
export function allocateZones(recorded: Zones, needed: Iterable<NetworkId>): Map<NetworkId, Zone> {
  const fresh = new Map<NetworkId, Zone>();
  const taken = new Set<number>(recorded.values());
  let next = 1;
  for (const network of new Set(needed)) {
    if (recorded.has(network)) continue;
    while (taken.has(next)) next++;
    if (!isZone(next)) break;
    taken.add(next);
    fresh.set(network, next);
  }
  return fresh;
}

/** Networks whose zones can be given back: they are gone (`isGone`), and no port of theirs is here (`isInUse`). */
export function releasableZones(
  recorded: Zones,
  isGone: (id: NetworkId) => boolean,
  isInUse: (id: NetworkId) => boolean,
): NetworkId[] {
  return [...recorded.keys()].filter((id) => isGone(id) && !isInUse(id));
}
