/**
 * Local proxy ARP and ND in an isolated network (RFC 4562, RFC 6957): what the switch itself answers to a port that may not
 * reach its neighbours, and which server it takes a DHCP request to. No question of such a port is flooded to others.
 */
import { type Cidr, contains, linkLocalOf } from '../net/cidr.ts';
import { broadcastMac, isMulticastMac, type Mac } from '../net/mac.ts';
import { arpOps } from '../net/packet/arp.ts';
import { etherTypes } from '../net/packet/ethernet.ts';
import type { Frame } from '../net/packet/frame.ts';
import { icmpv6Types, parseNeighbour, solicitedNodePrefix } from '../net/packet/icmpv6.ts';
import { coversAddress, identityOf, namesAddress, sameIp, unspecified4, unspecified6 } from './identity.ts';
import { isConfined, mayReach } from './isolation.ts';
import { icmpv6TypeOf, isDhcpFromClient, type Subject } from './packet.ts';
import { isPortOfRouter } from './routing.ts';
import type { Reply } from './verdict.ts';
import type { NetworkId, Port, Subnet, World } from './world.ts';
import { portsOf, subnetsOf } from './world-index.ts';

interface Question {
  readonly kind: Reply['kind'];
  readonly target: Cidr;
  /** Asks whether somebody else has the target (RFC 5227, RFC 4862 5.4). */
  readonly probe: boolean;
  /** Tells others of the sender (RFC 5227 3). */
  readonly announces: boolean;
}

function questionOf({ ethernet, arp, ip }: Frame): Question | null {
  if (ethernet.type === etherTypes.arp) {
    if (arp === null || arp.op !== arpOps.request || ethernet.dst !== broadcastMac) return null;
    const probe = sameIp(arp.spa, unspecified4);
    return { kind: 'arp', target: arp.tpa, probe, announces: !probe && sameIp(arp.spa, arp.tpa) };
  }
  if (ip?.upper?.kind !== 'icmp' || icmpv6TypeOf(ip) !== icmpv6Types.neighbourSolicitation) return null;
  const message = parseNeighbour(ip.upper);
  const isAsked = isMulticastMac(ethernet.dst) && contains(solicitedNodePrefix, ip.dst);
  if (message === null || !isAsked || ip.hopLimit !== 255 || ip.upper.code !== 0) return null;
  const probe = sameIp(ip.src, unspecified6);
  if (!probe && message.source === null) return null;
  return { kind: 'nd', target: message.target, probe, announces: false };
}

/** The MAC that an address is at, when one port has it for good. */
function soleMac(world: World, holders: readonly Port[], address: Cidr): Mac | null {
  const [sole, ...others] = holders;
  if (sole === undefined || others.length > 0 || !sole.adminUp) return null;
  if (sole.host === null && !isPortOfRouter(world, sole)) return null;
  return sole.fixedIps.some((ip) => sameIp(ip, address)) ? sole.mac : null;
}

const holdersOf = (world: World, network: NetworkId, address: Cidr): Port[] =>
  portsOf(world, network).filter((port) => namesAddress(port, address));

/** The MAC of a subnet's gateway: as the subnet names it, or of the promiscuous port with its address. */
export function gatewayMacOf(world: World, { network, gateway, gatewayMac }: Subnet): Mac | null {
  if (gatewayMac !== null || gateway === null) return gatewayMac;
  const holders = holdersOf(world, network, gateway);
  return holders.every(({ role }) => role.kind === 'promiscuous') ? soleMac(world, holders, gateway) : null;
}

const gatewaysOf = (world: World, network: NetworkId) =>
  subnetsOf(world, network).flatMap((subnet) => {
    const mac = gatewayMacOf(world, subnet);
    return mac === null ? [] : [{ cidr: subnet.cidr, mac }];
  });

/** What the proxy says to a question. Null: the question is not its affair, and is treated as in any network. */
export function proxyAnswer(
  world: World,
  sender: Port,
  { frame, fragmented }: Subject,
): { readonly reply: Reply | null } | null {
  const question = isConfined(world, sender) && !fragmented ? questionOf(frame) : null;
  if (question === null) return null;
  const { kind, target, probe, announces } = question;
  const answer = (mac: Mac | null) => ({ reply: mac === null ? null : { kind, address: target, mac } });
  if (coversAddress(identityOf(world, sender), target)) return answer(null);
  const gateways = gatewaysOf(world, sender.network);
  const gateway = gateways.find(({ cidr }) => contains(cidr, target))?.mac ?? null;
  const holders = holdersOf(world, sender.network, target);
  if (holders.length > 0) {
    if (announces) return answer(null);
    const isReached = holders.some((holder) => mayReach(world, sender, holder));
    return answer(isReached ? soleMac(world, holders, target) : gateway);
  }
  const own = gateways.find(({ cidr, mac }) => cidr.family === 6 && sameIp(linkLocalOf(mac), target));
  if (own !== undefined) return answer(own.mac);
  const believed = sender.mode === 'strict' && sender.role.kind === 'isolated' && !probe && !announces;
  return believed && gateway !== null ? answer(gateway) : null;
}

/** The request with the MAC of the network's DHCP server, where it would go to everybody. */
export function toDhcpServer(world: World, sender: Port, subject: Subject): Subject {
  const { frame, fragmented } = subject;
  const { ethernet, ip } = frame;
  if (!isConfined(world, sender) || fragmented || ip === null || !isMulticastMac(ethernet.dst))
    return subject;
  if (!isDhcpFromClient(ip)) return subject;
  const [server] = portsOf(world, sender.network)
    .filter(({ dhcpServer, adminUp, host }) => dhcpServer && adminUp && host !== null)
    .filter(({ role }) => role.kind === 'promiscuous')
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  if (server === undefined) return subject;
  return { fragmented, frame: { ...frame, ethernet: { ...ethernet, dst: server.mac } } };
}
