/**
 * Who may reach whom in an isolated network (RFC 5517). Only the roles of the two ports decide, never an address,
 * so it also holds for ports without port security. Security groups judge what it permits as well.
 */
import type { PortRole } from '../model/records.ts';
import { isMulticastMac, type Mac } from '../net/mac.ts';
import { etherTypes } from '../net/packet/ethernet.ts';
import { icmpv6Types } from '../net/packet/icmpv6.ts';
import { identityOf } from './identity.ts';
import { icmpv6TypeOf, type Subject } from './packet.ts';
import type { NetworkId, Port, World } from './world.ts';
import { portsOf } from './world-index.ts';

const isIsolated = (world: World, network: NetworkId): boolean =>
  world.networks.get(network)?.isolated === true;

/** Ports of one community. Promiscuous ports are no community, but they reach each other as its ports do. */
function areTogether(one: PortRole, other: PortRole): boolean {
  if (one.kind === 'community') return other.kind === 'community' && one.name === other.name;
  return one.kind === 'promiscuous' && other.kind === 'promiscuous';
}

const permits = (one: PortRole, other: PortRole): boolean =>
  areTogether(one, other) || one.kind === 'promiscuous' || other.kind === 'promiscuous';

/** Whether a connection may begin from one port to the other: unicast frames of any type. */
export const mayReach = (world: World, sender: Port, receiver: Port): boolean =>
  !isIsolated(world, sender.network) || permits(sender.role, receiver.role);

/** What a gateway sends to a group and its guests need: it asks for their addresses and advertises itself. */
const typeOf = ({ frame: { ip }, fragmented }: Subject): number | null =>
  ip === null || fragmented ? null : icmpv6TypeOf(ip);

function isFromGateway(subject: Subject): boolean {
  if (subject.frame.ethernet.type === etherTypes.arp) return true;
  const type = typeOf(subject);
  return type === icmpv6Types.neighbourSolicitation || type === icmpv6Types.routerAdvertisement;
}

const isForGateway = (subject: Subject): boolean => typeOf(subject) === icmpv6Types.routerSolicitation;

/** The role of who sends: of a port, or of who is outside. */
export type SenderRole = Pick<Port, 'role'>;

/** Whether a copy of a frame may go to a port. */
export function mayGet(world: World, { role }: SenderRole, receiver: Port, subject: Subject): boolean {
  if (!isIsolated(world, receiver.network)) return true;
  if (!isMulticastMac(subject.frame.ethernet.dst)) return permits(role, receiver.role);
  if (areTogether(role, receiver.role)) return true;
  if (role.kind === 'promiscuous') return isFromGateway(subject);
  return receiver.role.kind === 'promiscuous' && isForGateway(subject);
}

/** The ports of other hosts that may have a MAC, in the order of their ids. */
const outerHolders = (world: World, here: string, network: NetworkId, mac: Mac): Port[] =>
  portsOf(world, network)
    .filter(({ host }) => host !== null && host !== here)
    .filter((port) => identityOf(world, port).macs.has(mac))
    .sort((a, b) => (a.id < b.id ? -1 : 1));

const strangerOn = (world: World, network: NetworkId): SenderRole => ({
  role: { kind: world.networks.get(network)?.trustsPhysical === true ? 'promiscuous' : 'isolated' },
});

/** Who a host takes for the sender of what comes from a physical network, where only the source MAC tells. */
export const outerSender = (world: World, here: string, network: NetworkId, src: Mac): SenderRole =>
  outerHolders(world, here, network, src)[0] ?? strangerOn(world, network);

/** Whether a frame may leave for a physical network. Its other hosts judge by its source MAC alone, so this one judges first. */
export function mayLeave(world: World, here: string, sender: Port, subject: Subject): boolean {
  const { network, role } = sender;
  if (!isIsolated(world, network) || role.kind === 'promiscuous') return true;
  const { dst } = subject.frame.ethernet;
  const stranger = strangerOn(world, network);
  if (isMulticastMac(dst))
    return role.kind === 'community' || (isForGateway(subject) && stranger.role.kind === 'promiscuous');
  const holders = outerHolders(world, here, network, dst);
  return (holders.length > 0 ? holders : [stranger]).some((other) => permits(role, other.role));
}
