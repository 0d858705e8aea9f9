/**
 * Keys of the networks and ports of test worlds. Ports of different networks share keys wherever their names allow it,
 * because nothing may rely on a port's key without its network.
 */
import {
  type NetworkKey,
  type PortKey,
  preferredNetworkKey,
  preferredPortKey,
} from '../../src/model/numbers.ts';
import type { Facts } from '../../src/pipeline/facts.ts';
import type { Zone } from '../../src/pipeline/zone.ts';
import type { NetworkId, Port } from '../../src/policy/world.ts';

export const networkKeyOf = (network: NetworkId): NetworkKey => preferredNetworkKey(network);

/** `p3` of `n1` and `p4` of `n0` have the same; ports with other names have hashes. */
export function portKeyOf({ id, network }: Pick<Port, 'id' | 'network'>): PortKey {
  const [, port] = /^p(\d+)$/.exec(id) ?? [];
  const [, place] = /^n(\d+)$/.exec(network) ?? [];
  if (port === undefined || place === undefined) return preferredPortKey(id);
  return (0x1_0001 + Number(port) + Number(place)) as PortKey;
}

/** Gives networks and ports their keys. */
export function setKeys(
  facts: Pick<Facts, 'networkKeys' | 'portKeys'>,
  networks: Iterable<NetworkId>,
  ports: Iterable<Pick<Port, 'id' | 'network'>>,
): void {
  for (const network of networks) facts.networkKeys.set(network, networkKeyOf(network));
  for (const port of ports) facts.portKeys.set(port.id, portKeyOf(port));
}

/** A conntrack zone. */
export const zone = (number: number): Zone => number as Zone;
