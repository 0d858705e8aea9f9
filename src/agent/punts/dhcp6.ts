/**
 * The built-in DHCPv6 server (RFC 8415): addresses for ports in stateful subnets, and configuration for those in stateless ones.
 * Idea and invariants are those of `dhcp4.ts`: the port's record is its lease, and the flow names the port. The first
 * association of a client gets all its addresses. Others, temporary addresses and prefixes are refused by a status.
 */
import { type Cidr, contains, linkLocalOf } from '../../net/cidr.ts';
import { type Mac, macToBits } from '../../net/mac.ts';
import { dhcpPorts } from '../../net/packet/dhcp.ts';
import {
  type Association,
  buildAddress,
  buildAssociation,
  buildDhcp6,
  dhcp6Options as codes,
  type Dhcp6Option,
  dhcp6Statuses as statuses,
  statusOption,
  dhcp6Types as types,
} from '../../net/packet/dhcp6.ts';
import { buildEthernet, etherTypes } from '../../net/packet/ethernet.ts';
import { buildIpv6 } from '../../net/packet/ipv6.ts';
import { buildUdp, protocols } from '../../net/packet/transport.ts';
import type { Port, Subnet } from '../../policy/world.ts';
import { serverMac } from './dhcp4.ts';
import type { DhcpSettings } from './dhcp4-configuration.ts';
import { configurationOf6 } from './dhcp6-configuration.ts';
import { addressesOf, type Dhcp6Request, optionOf, readDhcp6Request } from './dhcp6-request.ts';
import { ignored, type PuntHandler, type PuntView } from './handler.ts';

const maxWaitingPerPort = 10;
/** Max addresses that one answer ends. */
const maxEnded = 8;

/** DUID-LL (RFC 8415 11.4): the same on every host, so a guest that moves keeps its server. */
const duid = Buffer.from(`00030001${macToBits(serverMac).toString(16).padStart(12, '0')}`, 'hex');
/** A client need not wait for other servers: there are none (RFC 8415 18.2.1). */
const preference: Dhcp6Option = { code: codes.preference, data: Buffer.from([255]) };
const rapidCommit: Dhcp6Option = { code: codes.rapidCommit, data: Buffer.alloc(0) };

interface Place {
  readonly subnets: readonly Subnet[];
  /** What the port gets by DHCP: its addresses in stateful subnets. */
  readonly own: readonly Cidr[];
}

function placeOf(port: Port, { relations, facts }: PuntView): Place {
  const subnets = relations.served6.get(port.id) ?? [];
  const stateful = subnets.filter(({ id }) => facts.dhcpSubnets.get(id)?.stateful === true);
  return { subnets, own: port.fixedIps.filter((ip) => stateful.some(({ cidr }) => contains(cidr, ip))) };
}

/** The port's addresses. What a client that has a lease should no longer use ends at once (RFC 8415 18.3.4). */
function withAddresses(asked: Association, own: readonly Cidr[], leaseTime: number): Dhcp6Option {
  const stale = addressesOf(asked).filter((bits) => !own.some((ip) => ip.bits === bits));
  const options = [
    ...own.map(({ bits }) => buildAddress(bits, leaseTime, leaseTime)),
    ...stale.slice(0, maxEnded).map((bits) => buildAddress(bits, 0, 0)),
  ];
  return buildAssociation({ ...asked, options }, Math.floor(leaseTime / 2), Math.floor((leaseTime * 7) / 8));
}

const refused = (asked: Association, status: number, text: string): Dhcp6Option =>
  buildAssociation({ ...asked, options: [statusOption(status, text)] });

/** Each association with what it gets. */
function associationsOf(request: Dhcp6Request, { own }: Place, leaseTime: number): Dhcp6Option[] {
  const { associations, message } = request;
  const first = associations.find(({ code }) => code === codes.nonTemporary);
  const renews = message.type === types.renew || message.type === types.rebind;
  return associations.map((asked) => {
    if (asked === first && own.length > 0) {
      const held = message.type === types.solicit ? { ...asked, options: [] } : asked;
      return withAddresses(held, own, leaseTime);
    }
    if (renews) return refused(asked, statuses.noBinding, 'no binding of this port');
    return asked.code === codes.delegation
      ? refused(asked, statuses.noPrefixes, 'no prefix for this port')
      : refused(asked, statuses.noAddresses, 'no address for this port');
  });
}

/** RFC 8415 18.3: type and options of the answer; null for what is not answered. */
function answerTo(request: Dhcp6Request, place: Place, { leaseTime }: DhcpSettings) {
  const { message, associations, addresses } = request;
  const given = () => associationsOf(request, place, leaseTime);
  const isOnLink = addresses.every((bits) =>
    place.subnets.some(({ cidr }) => contains(cidr, { family: 6, bits, length: 128 })),
  );
  const reply = (...options: readonly Dhcp6Option[]) => ({ type: types.reply, options });
  switch (message.type) {
    case types.solicit:
      return optionOf(message, codes.rapidCommit) === null
        ? { type: types.advertise, options: [preference, ...given()] }
        : reply(rapidCommit, ...given());
    case types.request:
      return isOnLink
        ? reply(...given())
        : reply(...associations.map((asked) => refused(asked, statuses.notOnLink, 'not on this link')));
    case types.renew:
    case types.rebind:
      return reply(...given());
    case types.confirm:
      // Without an address there is nothing to confirm (RFC 8415 18.3.3).
      if (addresses.length === 0) return null;
      return isOnLink
        ? reply(statusOption(statuses.success, 'on link'))
        : reply(statusOption(statuses.notOnLink, 'not on link'));
    case types.release:
    case types.decline:
      return reply(statusOption(statuses.success, 'noted'));
    default:
      return reply();
  }
}

export const dhcp6 = (settings: DhcpSettings): PuntHandler => ({
  maxWaitingPerPort,
  handle: ({ data, local: { port } }, view) => {
    const place = placeOf(port, view);
    const request = place.subnets.length === 0 ? null : readDhcp6Request(data, duid);
    if (request === null || request.mac !== port.mac) return ignored;
    const { client, message, from } = request;
    const answer = answerTo(request, place, settings);
    if (answer === null) return ignored;
    const options = [
      ...(client === null ? [] : [{ code: codes.client, data: client }]),
      { code: codes.server, data: duid },
      ...answer.options,
      ...configurationOf6(message, place.subnets, port, view, settings),
    ];
    const reply = buildDhcp6({ type: answer.type, transaction: message.transaction, options });
    const packets = [frameTo(request.mac, from, reply)];
    const isDecline = message.type === types.decline;
    const declined = isDecline ? place.own.find(({ bits }) => request.addresses.includes(bits)) : undefined;
    return declined === undefined
      ? { kind: 'answered', packets }
      : { kind: 'declined', address: declined, packets };
  },
});

function frameTo(mac: Mac, dst: Cidr, message: Buffer): Buffer {
  const src = linkLocalOf(serverMac);
  const datagram = buildUdp(src, dst, dhcpPorts.server6, dhcpPorts.client6, message);
  const packet = buildIpv6(
    { src, dst, protocol: protocols.udp, hopLimit: 64, trafficClass: 0, flowLabel: 0, extensions: [] },
    datagram,
  );
  return buildEthernet({ dst: mac, src: serverMac, tags: [], type: etherTypes.ipv6 }, packet);
}
