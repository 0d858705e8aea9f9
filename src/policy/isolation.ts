/**
 * Who may reach whom in an isolated network (RFC 5517). Only the roles of the two ports decide, never an address,
 * so it also holds for ports without port security. Security groups judge what it permits as well.
 */
import type { PortRole } from '../model/records.ts';
import { isMulticastMac, type Mac } from '../net/mac.ts';
import { etherTypes } from '../net/packet/ethernet.ts';
import { icmpv6Types } from '../net/packet/icmpv6.ts';
import type { DropReason } from './drop-reasons.ts';
import { identityOf } from './identity.ts';
import { icmpv6TypeOf, isIcmpRedirect, type Subject } from './packet.ts';
import type { NetworkId, Port, World } from './world.ts';
import { portsOf, subnetsOf } from './world-index.ts';

const isIsolated = (world: World, network: NetworkId): boolean =>
  world.networks.get(network)?.isolated === true;

/** A port whose role forbids some neighbours. */
export const isConfined = (world: World, { network, role }: Port): boolean =>
  isIsolated(world, network) && role.kind !== 'promiscuous';

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

/** A gateway that sends packets back into the network must not tell senders to go straight (RFC 4562 2.3). */
function isRedirect({ frame: { ip }, fragmented }: Subject): boolean {
  if (ip === null || fragmented) return false;
  return isIcmpRedirect(ip) || icmpv6TypeOf(ip) === icmpv6Types.redirect;
}

function mayGet({ role }: SenderRole, receiver: Port, subject: Subject): boolean {
  if (!isMulticastMac(subject.frame.ethernet.dst)) return permits(role, receiver.role);
  if (areTogether(role, receiver.role)) return true;
  if (role.kind === 'promiscuous') return isFromGateway(subject);
  return receiver.role.kind === 'promiscuous' && isForGateway(subject);
}

/** Why a copy of a frame may not go to a port. */
export function refusalAt(
  world: World,
  sender: SenderRole,
  receiver: Port,
  subject: Subject,
): DropReason | null {
  if (!isIsolated(world, receiver.network)) return null;
  if (isRedirect(subject)) return 'redirect';
  return mayGet(sender, receiver, subject) ? null : 'isolated';
}

/** The ports of other hosts that may have a MAC, in the order of their ids. */
const outerHolders = (world: World, here: string, network: NetworkId, mac: Mac): Port[] =>
  portsOf(world, network)
    .filter(({ host }) => host !== null && host !== here)
    .filter((port) => identityOf(world, port).macs.has(mac))
    .sort((a, b) => (a.id < b.id ? -1 : 1));

/** Who has a MAC that no port has: a gateway that a subnet names, or somebody of whom only the network can say more. */
function strangerWith(world: World, network: NetworkId, mac: Mac): SenderRole {
  const isTrusted = world.networks.get(network)?.trustsPhysical === true;
  const isGateway = subnetsOf(world, network).some(({ gatewayMac }) => gatewayMac === mac);
  return { role: { kind: isTrusted || isGateway ? 'promiscuous' : 'isolated' } };
}

/** Who a host takes for the sender of what comes from a physical network, where only the source MAC tells. */
export const outerSender = (world: World, here: string, network: NetworkId, src: Mac): SenderRole =>
  outerHolders(world, here, network, src)[0] ?? strangerWith(world, network, src);

function mayLeave(world: World, here: string, sender: Port, subject: Subject): boolean {
  const { network, role } = sender;
  if (role.kind === 'promiscuous') return true;
  const { dst } = subject.frame.ethernet;
  const stranger = strangerWith(world, network, dst);
  if (isMulticastMac(dst))
    return role.kind === 'community' || (isForGateway(subject) && stranger.role.kind === 'promiscuous');
  const holders = outerHolders(world, here, network, dst);
  return (holders.length > 0 ? holders : [stranger]).some((other) => permits(role, other.role));
}

/** Why a frame may not leave for a physical network. Its other hosts judge by its source MAC alone, so this one judges first. */
export function refusalOutside(
  world: World,
  here: string,
  sender: Port,
  subject: Subject,
): DropReason | null {
  if (!isIsolated(world, sender.network)) return null;
  if (isRedirect(subject)) return 'redirect';
  return mayLeave(world, here, sender, subject) ? null : 'isolated';
}

const wordOf = ({ role }: SenderRole): string =>
  role.kind === 'community' ? `community ${role.name}` : role.kind;

/** For people. Null is somebody on a physical network. */
export const rolesText = (sender: SenderRole, receiver: SenderRole | null): string =>
  `${wordOf(sender)} to ${receiver === null ? 'the physical network' : wordOf(receiver)}`;
