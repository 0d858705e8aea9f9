/**
 * Link-local addresses that ports came by through duplicate-address detection, as far as they hold: one that has become
 * somebody else's by name, or whose MAC the port has no more, is not granted, though its record stays. Asks the
 * question that the agent asks before it makes a record. No flows here.
 */
import type { Dataflow, Read, Relation } from '../../../base/dataflow.ts';
import { type Cidr, contains, linkLocalPrefix } from '../../../net/cidr.ts';
import { gatewaysOf, macsOf, metadataAddresses, namedAddresses } from '../../../policy/address-owners.ts';
import { sameIp } from '../../../policy/identity.ts';
import type { LinkLocal, NetworkId, PortId, Subnet, SubnetId } from '../../../policy/world.ts';
import type { ClassifyFacts } from '../classify/facts.ts';
import type { GuardFacts } from './facts.ts';

export interface LinkLocalRelations {
  /** By network and bits of the address: the ports, wherever they are, whose the address is by name. */
  readonly named: Relation<string, ReadonlyMap<PortId, true>>;
  readonly subnetsOf: Relation<NetworkId, ReadonlyMap<SubnetId, Subnet>>;
  /** By the key of the fact. */
  readonly granted: Relation<string, LinkLocal>;
}

/** Every port has at least one, so it is not the address's text, which takes longer. */
const nameKey = (network: NetworkId, { bits }: Cidr): string => `${network}|${bits.toString(16)}`;

/** Whose a link-local address is rather than the port's: a port's id, or what of the network; null for nobody's. */
export function otherOwner(
  { named, subnetsOf }: Omit<LinkLocalRelations, 'granted'>,
  read: Read,
  port: PortId,
  network: NetworkId,
  address: Cidr,
): string | null {
  const same = (other: Cidr): boolean => sameIp(other, address);
  if (metadataAddresses.some(same)) return 'metadata';
  if (gatewaysOf(read(subnetsOf, network)?.values() ?? []).some(same)) return 'gateway';
  for (const other of read(named, nameKey(network, address))?.keys() ?? []) if (other !== port) return other;
  return null;
}

export function declareLinkLocals(
  graph: Dataflow,
  facts: ClassifyFacts & GuardFacts,
  subnetsOf: LinkLocalRelations['subnetsOf'],
): LinkLocalRelations {
  const named = graph.index('link-local-names', facts.ports, (_, port) =>
    namedAddresses(port)
      .filter((address) => contains(linkLocalPrefix, address))
      .map((address) => [nameKey(port.network, address), true as const] as const),
  );
  const granted = graph.map('granted-link-locals', facts.linkLocals, (_, item, read) => {
    const port = read(facts.ports, item.port);
    if (port?.network !== item.network || !macsOf(port).includes(item.mac)) return undefined;
    const owner = otherOwner({ named, subnetsOf }, read, item.port, item.network, item.address);
    return owner === null ? item : undefined;
  });
  return { named, subnetsOf, granted };
}
