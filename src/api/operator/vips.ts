/** `/v1/vips`: the addresses that several ports may have, and who holds each. */

import { keys } from '../../model/keys.ts';
import type { PortRecord } from '../../model/records.ts';
import { type Cidr, contains, formatCidr, isHost, parseCidr, parseIp } from '../../net/cidr.ts';
import type { State } from '../state/state.ts';

interface Candidates {
  readonly byAddress: ReadonlyMap<string, readonly PortRecord[]>;
  /** Ports with prefixes, which may have any address in them. */
  readonly wide: readonly (readonly [PortRecord, Cidr])[];
}

function candidatesIn(state: State, network: string): Candidates {
  const byAddress = new Map<string, PortRecord[]>();
  const wide: (readonly [PortRecord, Cidr])[] = [];
  for (const { record: port } of state.ports.by('network', network)) {
    const named = new Set<string>(port.fixed_ips.map(({ ip_address }) => ip_address));
    for (const { ip_address } of port.allowed_address_pairs) {
      const prefix = parseCidr(ip_address);
      if (prefix === null) continue;
      if (isHost(prefix)) named.add(formatCidr(prefix));
      else wide.push([port, prefix]);
    }
    for (const address of named) byAddress.set(address, [...(byAddress.get(address) ?? []), port]);
  }
  return { byAddress, wide };
}

function portsFor({ byAddress, wide }: Candidates, address: string): readonly PortRecord[] {
  const named = byAddress.get(address) ?? [];
  const ip = parseIp(address);
  if (ip === null) return named;
  const covering = wide.filter(([, prefix]) => contains(prefix, ip)).map(([port]) => port);
  return [...new Set([...named, ...covering])];
}

/** Of one network, or of all. */
export function vipsShown(state: State, only: string | null): readonly object[] {
  const networks = only === null ? [...state.networks.all()].map(({ record }) => record.id) : [only];
  const claimed = new Map<string, string[]>();
  for (const { network, address } of state.owners.all())
    claimed.set(network, [...(claimed.get(network) ?? []), address]);
  return networks.flatMap((network) => {
    const candidates = candidatesIn(state, network);
    const shared = [...candidates.byAddress].filter(([, ports]) => ports.length > 1).map(([ip]) => ip);
    const addresses = new Set([...shared, ...(claimed.get(network) ?? [])]);
    return [...addresses].sort().map((address) => vipShown(state, network, address, candidates));
  });
}

function vipShown(state: State, network: string, address: string, candidates: Candidates): object {
  const owner = state.owners.get(keys.owner(network, address))?.record;
  const ports = portsFor(candidates, address);
  return {
    network_id: network,
    address,
    owner: owner?.port ?? null,
    owner_name: owner === undefined ? null : (state.ports.get(owner.port)?.record.name ?? null),
    host: owner?.host ?? null,
    mac_address: owner?.mac ?? null,
    since: owner?.since ?? null,
    how: owner?.how ?? null,
    changes: owner?.generation ?? 0,
    candidates: ports.map(({ id, name }) => ({ id, name, host: state.bindings.get(id)?.host ?? null })),
  };
}
