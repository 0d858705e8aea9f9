/**
 * Where a frame goes: to the ports that hold its destination, or back to the sender as an answer of the switch.
 */

import { tunnelBetween } from '../model/vtep.ts';
import type { Cidr } from '../net/cidr.ts';
import { contains, isHost } from '../net/cidr.ts';
import { broadcastMac, isMulticastMac, type Mac } from '../net/mac.ts';
import { arpOps } from '../net/packet/arp.ts';
import { etherTypes } from '../net/packet/ethernet.ts';
import type { Frame } from '../net/packet/frame.ts';
import { icmpv6Types, parseNeighbour, solicitedNodePrefix } from '../net/packet/icmpv6.ts';
import { coversAddress, identityOf, namesAddress, sameIp, unspecified4, unspecified6 } from './identity.ts';
import { icmpv6TypeOf } from './packet.ts';
import { routerAt, routerWithMac } from './routing.ts';
import type { Reply } from './verdict.ts';
import type { NetworkId, Port, World } from './world.ts';
import { ownedWith, portsOf } from './world-index.ts';

/**
 * The ports of a network on `hosts` that a frame is for, in the order of their ids; the sender is among them where it holds the
 * destination itself. Where all holders of the destination are administratively down, the first stands for all.
 */
export function addressees(
  world: World,
  hosts: ReadonlySet<string>,
  network: NetworkId,
  { ethernet: { dst } }: Frame,
): Port[] {
  const flooded = isMulticastMac(dst);
  const held = portsOf(world, network)
    .filter(({ host }) => host !== null && hosts.has(host))
    .filter((port) => flooded || (identityOf(world, port).macs.has(dst) && isGivenTo(world, port, dst)))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const up = held.filter(({ adminUp }) => adminUp);
  return up.length > 0 || flooded ? up : held.slice(0, 1);
}

/**
 * Whether a port that may use a MAC gets what is for it. Where several may, and it is nobody's own, only those get it that
 * own an address with it, once there are any.
 */
export function isGivenTo(world: World, { id, network }: Port, mac: Mac): boolean {
  const owners = ownersWith(world, network, mac);
  if (owners.length === 0 || world.networks.get(network)?.broadcastsPairs !== false) return true;
  return owners.some((owner) => owner.id === id) || portsOf(world, network).some((port) => port.mac === mac);
}

/** The ports that own an address with a MAC. An owner that is down, or may not use the address any more, is none. */
const ownersWith = (world: World, network: NetworkId, mac: Mac): readonly Port[] =>
  ownedWith(world, network, mac).flatMap((owner) => {
    const port = world.ports.get(owner.port);
    if (port?.network !== network) return [];
    const holds = port.pairs.some((pair) => pair.mac === mac && contains(pair.ip, owner.address));
    return holds && port.adminUp && port.host !== null ? [port] : [];
  });

/**
 * The port that a host takes for the sender of what comes through a tunnel. Geneve names it. On VXLAN the source MAC does:
 * a router's port that has it, else the first port of the sending host that has it, else the first without port security.
 * Null when there is none.
 */
export function tunnelledSender(
  world: World,
  { from, to }: { readonly from: string; readonly to: string },
  sender: Port,
  { ethernet: { src } }: Frame,
): Port | null {
  const [there, here] = [world.vteps.get(from), world.vteps.get(to)];
  const only = world.networks.get(sender.network)?.tunnel;
  if (there === undefined || here === undefined || tunnelBetween(there, here, only) === 'geneve')
    return sender;
  const router = routerWithMac(world, sender.network, src);
  if (router !== null) return router;
  const able = portsOf(world, sender.network)
    .filter(({ host, adminUp }) => host === from && adminUp)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const holder = able.find((port) => identityOf(world, port).macs.has(src));
  return holder ?? able.find(({ mode }) => mode === 'off') ?? null;
}

/**
 * The only port that has an address, when it is a fixed IP and in use somewhere. A port that may claim the address
 * itself, by a prefix at least, may be probing for another user of it. The switch must not answer that probe.
 */
function soleOwner(world: World, asking: Port, address: Cidr): Port | null {
  const named = portsOf(world, asking.network).filter((port) => namesAddress(port, address));
  const [owner] = named;
  if (owner === undefined || named.length > 1 || coversAddress(identityOf(world, asking), address))
    return null;
  if (!owner.adminUp || owner.host === null) return null;
  return owner.fixedIps.some((ip) => isHost(ip) && sameIp(ip, address)) ? owner : null;
}

function askedByArp({ ethernet, arp }: Frame): Cidr | null {
  if (ethernet.type !== etherTypes.arp || arp === null) return null;
  if (isMulticastMac(ethernet.dst) && ethernet.dst !== broadcastMac) return null;
  if (arp.op !== arpOps.request) return null;
  return sameIp(arp.spa, unspecified4) || sameIp(arp.spa, arp.tpa) ? null : arp.tpa;
}

function askedByNeighbour({ ethernet, ip }: Frame): Cidr | null {
  if (ip?.upper?.kind !== 'icmp' || icmpv6TypeOf(ip) !== icmpv6Types.neighbourSolicitation) return null;
  const message = parseNeighbour(ip.upper);
  const toEverybody = isMulticastMac(ethernet.dst) && contains(solicitedNodePrefix, ip.dst);
  const toHolder = !isMulticastMac(ethernet.dst) && message !== null && sameIp(ip.dst, message.target);
  if (!toEverybody && !toHolder) return null;
  const answerable = message !== null && message.source === ethernet.src && !sameIp(ip.src, unspecified6);
  return answerable ? message.target : null;
}

/** The answer to a question that `sender`'s guards let pass, on its host. Null: the question goes to the network. */
export function replyTo(world: World, host: string, sender: Port, frame: Frame): Reply | null {
  if (sender.mode !== 'strict') return null;
  const { dst } = frame.ethernet;
  const arp = askedByArp(frame);
  const address = arp ?? askedByNeighbour(frame);
  if (address === null) return null;
  const router = routerAt(world, host, sender, address);
  const isForOwner = isMulticastMac(dst) || dst === router?.mac;
  if (!isForOwner) return null;
  const owner = router ?? soleOwner(world, sender, address);
  return owner === null ? null : { kind: arp === null ? 'nd' : 'arp', address, mac: owner.mac };
}
