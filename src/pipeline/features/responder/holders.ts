/** Who holds which address, and how. Facts of one port only; no flows here. */
import { type Cidr, contains, isHost, overlaps } from '../../../net/cidr.ts';
import type { Mac } from '../../../net/mac.ts';
import type { Pair, Port, Subnet } from '../../../policy/world.ts';

/** How a port holds an address: as its own, as an allowed pair, or as part of a prefix pair. */
export interface Holder {
  readonly how: 'fixed' | 'pair' | 'prefix';
  readonly port: Port;
  readonly mac: Mac;
  readonly address: Cidr;
}

/**
 * The addresses that a port holds. A prefix pair counts only inside the network's subnets. So a
 * wide one (0.0.0.0/0) never makes the whole world a member of the port's groups.
 */
export function holdings(port: Port, subnets: readonly Subnet[]): Holder[] {
  const pair = ({ mac, ip }: Pair): Holder[] => {
    if (isHost(ip)) return [{ how: 'pair', port, mac, address: ip }];
    return subnets
      .filter((subnet) => overlaps(subnet.cidr, ip))
      .map((subnet) => ({ how: 'prefix', port, mac, address: contains(ip, subnet.cidr) ? subnet.cidr : ip }));
  };
  return [
    ...port.pairs.flatMap(pair),
    ...port.fixedIps.map((address): Holder => ({ how: 'fixed', port, mac: port.mac, address })),
  ];
}
