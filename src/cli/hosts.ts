/** `portcullis hosts`: the hypervisors that the store knows, and what they have. */
import type { Client } from './client.ts';
import { json, table } from './table.ts';

interface Host {
  readonly name: string;
  readonly live: boolean;
  readonly version: string | null;
  readonly tunnel_ip: string | null;
  readonly bridge_mappings: Readonly<Record<string, string>>;
  readonly ports: number;
  /** Revisions. */
  readonly applied: number | null;
  readonly lag: number | null;
  /** UTC text. */
  readonly last_seen: string;
}

export async function hosts(client: Client, asJson: boolean): Promise<string> {
  const answer = await client.get<{ readonly hosts: readonly Host[] }>('/v1/hosts');
  return asJson ? json(answer) : hostsTable(answer.hosts);
}

export const hostsTable = (hosts: readonly Host[]): string =>
  table(
    [
      { title: 'HOST', value: (host) => host.name },
      { title: 'STATE', value: (host) => (host.live ? 'live' : 'dead') },
      { title: 'LAST SEEN', value: (host) => (host.live ? '-' : host.last_seen) },
      { title: 'VERSION', value: (host) => host.version ?? '-' },
      { title: 'VTEP', value: (host) => host.tunnel_ip ?? '-' },
      { title: 'BRIDGE MAPPINGS', value: (host) => mappingsText(host.bridge_mappings) },
      { title: 'PORTS', value: (host) => String(host.ports) },
      { title: 'APPLIED', value: (host) => String(host.applied ?? '-') },
      { title: 'LAG', value: (host) => String(host.lag ?? '-') },
    ],
    hosts,
  );

function mappingsText(mappings: Host['bridge_mappings']): string {
  const pairs = Object.entries(mappings).map(([network, bridge]) => `${network}:${bridge}`);
  return pairs.join(',') || '-';
}
