/**
 * Indexes of a world: ports, subnets and reserved addresses of a network, rules of a group, holders of an address.
 * Each is built once, when first needed, and kept as long as its world. So a world must not change. Holds no verdicts.
 */
import { type Cidr, cidr, type Family, isHost, linkLocalOf } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import { reservedAddresses } from './address-owners.ts';
import type {
  AddressGroup,
  Direction,
  GroupId,
  LinkLocal,
  NetworkId,
  Owner,
  Port,
  PortId,
  Router,
  Rule,
  Subnet,
  World,
} from './world.ts';

/** Ports of one network by the addresses that they hold. Ports with prefixes are few, so each is checked. */
interface Holdings {
  readonly exact: Readonly<Record<Family, ReadonlyMap<bigint, readonly Port[]>>>;
  /** By the EUI-64 link-local form of a MAC that a port may use. */
  readonly byMac: ReadonlyMap<bigint, readonly Port[]>;
  readonly wide: readonly Port[];
}

interface RouterOnNetwork {
  readonly router: Router;
  readonly port: Port;
}

interface WorldIndex {
  readonly ports: ReadonlyMap<NetworkId, readonly Port[]>;
  readonly subnets: ReadonlyMap<NetworkId, readonly Subnet[]>;
  readonly routers: ReadonlyMap<NetworkId, readonly RouterOnNetwork[]>;
  readonly linkLocals: ReadonlyMap<PortId, readonly LinkLocal[]>;
  /** By network and bits of the address. */
  readonly linkLocalsAt: ReadonlyMap<string, readonly LinkLocal[]>;
  /** By network and MAC. */
  readonly owners: ReadonlyMap<string, readonly Owner[]>;
  readonly rules: ReadonlyMap<GroupId, readonly Rule[]>;
  /** By direction, family and the groups' ids. */
  readonly rulesOfSets: Map<string, readonly Rule[]>;
  readonly reserved: Map<NetworkId, readonly Cidr[]>;
  readonly holdings: Map<NetworkId, Holdings>;
}

const indexes = new WeakMap<World, WorldIndex>();

function gather<K, V>(items: Iterable<V>, keyOf: (item: V) => K): Map<K, V[]> {
  const gathered = new Map<K, V[]>();
  for (const item of items) {
    const key = keyOf(item);
    const list = gathered.get(key);
    if (list === undefined) gathered.set(key, [item]);
    else list.push(item);
  }
  return gathered;
}

const routersWithPorts = ({ routers, ports }: World): RouterOnNetwork[] =>
  [...routers.values()].flatMap((router) =>
    router.ports.flatMap((id) => {
      const port = ports.get(id);
      return port === undefined ? [] : [{ router, port }];
    }),
  );

function indexOf(world: World): WorldIndex {
  let index = indexes.get(world);
  if (index === undefined) {
    index = {
      ports: gather(world.ports.values(), ({ network }) => network),
      subnets: gather(world.subnets.values(), ({ network }) => network),
      routers: gather(routersWithPorts(world), ({ port }) => port.network),
      linkLocals: gather(world.linkLocals, ({ port }) => port),
      linkLocalsAt: gather(world.linkLocals, ({ network, address }) => `${network} ${address.bits}`),
      owners: gather(world.owners, ({ network, mac }) => `${network} ${mac}`),
      rules: gather(world.rules.values(), ({ group }) => group),
      rulesOfSets: new Map(),
      reserved: new Map(),
      holdings: new Map(),
    };
    indexes.set(world, index);
  }
  return index;
}

export const portsOf = (world: World, network: NetworkId): readonly Port[] =>
  indexOf(world).ports.get(network) ?? [];

export const subnetsOf = (world: World, network: NetworkId): readonly Subnet[] =>
  indexOf(world).subnets.get(network) ?? [];

/** Routers with their ports on a network. */
export const routersOn = (world: World, network: NetworkId): readonly RouterOnNetwork[] =>
  indexOf(world).routers.get(network) ?? [];

/** Link-local addresses that passed duplicate-address detection on a port. */
export const linkLocalsOf = (world: World, port: PortId): readonly LinkLocal[] =>
  indexOf(world).linkLocals.get(port) ?? [];

/** The records of one address. A store has one at most. */
export const linkLocalsAt = (world: World, network: NetworkId, { bits }: Cidr): readonly LinkLocal[] =>
  indexOf(world).linkLocalsAt.get(`${network} ${bits}`) ?? [];

/** Who owns addresses with a MAC, as recorded. */
export const ownedWith = (world: World, network: NetworkId, mac: Mac): readonly Owner[] =>
  indexOf(world).owners.get(`${network} ${mac}`) ?? [];

/** Rules of all of a port's groups for one direction and family. */
export function rulesOf(
  world: World,
  { groups }: Port,
  direction: Direction,
  family: Family,
): readonly Rule[] {
  const { rules, rulesOfSets } = indexOf(world);
  const name = `${direction} ${family} ${groups.join()}`;
  let found = rulesOfSets.get(name);
  if (found === undefined) {
    found = [...new Set(groups)]
      .flatMap((group) => rules.get(group) ?? [])
      .filter((rule) => rule.direction === direction && rule.family === family);
    rulesOfSets.set(name, found);
  }
  return found;
}

/** The addresses that no allowed pair may claim in a network. */
export function reservedIn(world: World, network: NetworkId): readonly Cidr[] {
  const { reserved } = indexOf(world);
  let addresses = reserved.get(network);
  if (addresses === undefined) {
    const services = portsOf(world, network).filter(({ cloudOwned }) => cloudOwned);
    const lends = world.networks.get(network)?.allowsReservedPairs === true;
    addresses = lends ? [] : reservedAddresses(subnetsOf(world, network), services);
    reserved.set(network, addresses);
  }
  return addresses;
}

function holdingsOf(world: World, network: NetworkId): Holdings {
  const { holdings } = indexOf(world);
  let known = holdings.get(network);
  if (known === undefined) {
    const exact = { 4: new Map<bigint, Port[]>(), 6: new Map<bigint, Port[]>() };
    const byMac = new Map<bigint, Port[]>();
    const wide: Port[] = [];
    for (const port of portsOf(world, network)) {
      for (const mac of [port.mac, ...port.pairs.map((pair) => pair.mac)]) {
        const { bits } = linkLocalOf(mac);
        byMac.set(bits, [...(byMac.get(bits) ?? []), port]);
      }
      const addresses = [...port.fixedIps, ...port.pairs.map(({ ip }) => ip)];
      if (!addresses.every(isHost)) wide.push(port);
      for (const address of addresses) {
        if (!isHost(address)) continue;
        const { family, bits } = address;
        const held = exact[family].get(bits);
        if (held === undefined) exact[family].set(bits, [port]);
        else held.push(port);
      }
    }
    known = { exact, byMac, wide };
    holdings.set(network, known);
  }
  return known;
}

/** The ports of a network that may hold an address, each once: all that name it, and all with a prefix. */
export function possibleHolders(world: World, network: NetworkId, address: Cidr): Iterable<Port> {
  const { exact, wide } = holdingsOf(world, network);
  const named = exact[address.family].get(address.bits) ?? [];
  return wide.length === 0 && named.length <= 1 ? named : new Set([...named, ...wide]);
}

/** The ports that name an address: as fixed IP, as a pair of one address, or as EUI-64 form of a MAC. */
export function holdersByName(world: World, network: NetworkId, address: Cidr): readonly Port[] {
  const { exact, byMac } = holdingsOf(world, network);
  const named = exact[address.family].get(address.bits) ?? [];
  return address.family === 4 ? named : [...named, ...(byMac.get(address.bits) ?? [])];
}

const prefixes = new WeakMap<AddressGroup, ReadonlyMap<number, ReadonlySet<bigint>>[]>();

/** Whether one of an address group's prefixes holds an address. */
export function isInAddressGroup(group: AddressGroup, address: Cidr): boolean {
  let byLength = prefixes.get(group);
  if (byLength === undefined) {
    byLength = ([4, 6] as const).map((family) => {
      const own = group.addresses.filter((prefix) => prefix.family === family);
      const lengths = [...gather(own, ({ length }) => length)];
      return new Map(lengths.map(([length, list]) => [length, new Set(list.map(({ bits }) => bits))]));
    });
    prefixes.set(group, byLength);
  }
  for (const [length, bits] of byLength[address.family === 4 ? 0 : 1] ?? [])
    if (length <= address.length && bits.has(cidr(address.family, address.bits, length).bits)) return true;
  return false;
}
