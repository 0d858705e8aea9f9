/** Networks and ports for the bench, created through the API in bulk requests. */
import type { HttpConnection } from './http-connection.ts';

export interface Network {
  readonly id: string;
  /** Its subnet is 10.OCTET.0.0/16. */
  readonly octet: number;
}

export interface Port {
  readonly id: string;
  readonly mac_address: string;
  readonly fixed_ips: readonly { readonly ip_address: string }[];
}

const bulk = 250;

export async function createNetwork(api: HttpConnection, octet: number): Promise<Network> {
  const { network } = await api.json<{ network: { id: string } }>('POST', '/v2.0/networks', {
    network: { name: `net-${octet}` },
  });
  await api.json('POST', '/v2.0/subnets', {
    subnet: { network_id: network.id, ip_version: 4, cidr: `10.${octet}.0.0/16` },
  });
  return { id: network.id, octet };
}

/** Ports in the project's default group, whose members may reach each other. */
export async function createPorts(
  api: HttpConnection,
  network: Network,
  count: number,
  attributes: (at: number) => Readonly<Record<string, unknown>>,
): Promise<Port[]> {
  const made: Port[] = [];
  while (made.length < count) {
    const drafts = Array.from({ length: Math.min(bulk, count - made.length) }, (_, at) => ({
      network_id: network.id,
      ...attributes(made.length + at),
    }));
    const { ports } = await api.json<{ ports: Port[] }>('POST', '/v2.0/ports', { ports: drafts });
    made.push(...ports);
  }
  return made;
}
