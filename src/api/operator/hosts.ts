/** `/v1/hosts`: every host that the store knows, dead ones too. */
import { zoneOf } from '../../model/availability-zone.ts';
import type { State } from '../state/state.ts';

/** Revisions that a live host's switch lacks of what was last waited for. */
function lagOf(state: State, host: string): number | null {
  if (!state.isLive(host)) return null;
  return Math.max(0, state.syncTarget - (state.applied.get(host)?.revision ?? 0));
}

export function hostsShown(state: State): readonly object[] {
  const ports = new Map<string, number>();
  for (const { host } of state.bindings.values()) ports.set(host, (ports.get(host) ?? 0) + 1);
  return [...state.hosts.values()].map((host) => {
    const { name } = host;
    const bridge = state.bridges.get(name);
    return {
      name,
      live: state.isLive(name),
      last_seen: new Date(state.lastSeen.of(name)).toISOString(),
      version: host.version ?? null,
      schema_version: host.schema_version ?? null,
      availability_zone: zoneOf(host),
      bridge: host.bridge ?? null,
      datapath_type: host.datapath_type ?? null,
      tunnel_ip: bridge?.tunnel_ip ?? null,
      tunnel_types: bridge?.tunnel_types ?? [],
      bridge_mappings: host.bridge_mappings ?? {},
      ports: ports.get(name) ?? 0,
      applied: state.applied.get(name)?.revision ?? null,
      lag: lagOf(state, name),
    };
  });
}
