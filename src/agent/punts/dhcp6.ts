/**
 * The built-in DHCPv6 server (RFC 8415): addresses for ports in stateful subnets, and configuration for those in stateless ones.
 * Idea and invariants are those of `dhcp4.ts`: the port's record is its lease, and the flow names the port.
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
  type Dhcp6,
  type Dhcp6Option,
  parseAssociation,
  parseDhcp6,
  dhcp6Statuses as statuses,
  statusOption,
  dhcp6Types as types,
} from '../../net/packet/dhcp6.ts';
import { buildEthernet, etherTypes } from '../../net/packet/ethernet.ts';
import { type Ip, parseFrame } from '../../net/packet/frame.ts';
import { buildIpv6 } from '../../net/packet/ipv6.ts';
import { buildUdp, protocols } from '../../net/packet/transport.ts';
import type { Subnet } from '../../policy/world.ts';
import { serverMac } from './dhcp4.ts';
import type { DhcpSettings } from './dhcp4-configuration.ts';
import { configurationOf6 } from './dhcp6-configuration.ts';
import { ignored, type PuntHandler, type PuntView } from './handler.ts';

const maxWaitingPerPort = 10;

/** DUID-LL (RFC 8415 11.4): the same on every host, so a guest that moves keeps its server. */
const serverId: Dhcp6Option = {
  code: codes.server,
  data: Buffer.from(`00030001${macToBits(serverMac).toString(16).padStart(12, '0')}`, 'hex'),
};

interface Request {
  readonly mac: Mac;
  readonly ip: Ip;
  readonly message: Dhcp6;
}

/** Null for a frame that is no message of a client. Never throws. */
function readRequest(data: Uint8Array): Request | null {
  const frame = parseFrame(Buffer.from(data));
  const upper = frame?.ip?.upper;
  if (frame === null || frame.ip === null || upper?.kind !== 'segment') return null;
  const message = upper.dstPort === dhcpPorts.server6 ? parseDhcp6(upper.payload) : null;
  return message && { mac: frame.ethernet.src, ip: frame.ip, message };
}

const optionsOf = ({ options }: Pick<Dhcp6, 'options'>, wanted: number): Buffer[] =>
  options.filter(({ code }) => code === wanted).map(({ data }) => data);

const addressesIn = (association: Association): bigint[] =>
  optionsOf(association, codes.address)
    .filter(({ length }) => length >= 24)
    .map((data) => BigInt(`0x${data.toString('hex', 0, 16)}`));

interface Place {
  readonly subnets: readonly Subnet[];
  /** What the port gets by DHCP: its addresses in stateful subnets. */
  readonly own: readonly Cidr[];
}

/** The port's addresses in its first association; others get none. What a client should no longer use ends at once. */
function associationsOf(message: Dhcp6, { own }: Place, { leaseTime }: DhcpSettings): Dhcp6Option[] {
  return optionsOf(message, codes.nonTemporary).flatMap((data, at) => {
    const asked = parseAssociation(data);
    if (asked === null) return [];
    const given = at === 0 ? own : [];
    const stale = addressesIn(asked).filter((bits) => !given.some((ip) => ip.bits === bits));
    const ended = message.type === types.solicit ? [] : stale.map((bits) => buildAddress(bits, 0, 0));
    const none = given.length === 0 ? [statusOption(statuses.noAddresses, 'no address for this port')] : [];
    const addresses = given.map(({ bits }) => buildAddress(bits, leaseTime, leaseTime));
    const options = [...addresses, ...ended, ...none];
    return buildAssociation(
      { id: asked.id, options },
      Math.floor(leaseTime / 2),
      Math.floor((leaseTime * 7) / 8),
    );
  });
}

/** RFC 8415 18.3: type and options of the answer; null for what is not answered. */
function answerTo(message: Dhcp6, place: Place, settings: DhcpSettings) {
  const [server] = optionsOf(message, codes.server);
  if (server !== undefined && !server.equals(serverId.data)) return null;
  const associations = () => associationsOf(message, place, settings);
  const asked = optionsOf(message, codes.nonTemporary).flatMap((data) => {
    const association = parseAssociation(data);
    return association === null ? [] : addressesIn(association);
  });
  switch (message.type) {
    case types.solicit: {
      const [rapid] = optionsOf(message, codes.rapidCommit);
      return rapid === undefined
        ? { type: types.advertise, options: associations() }
        : {
            type: types.reply,
            options: [{ code: codes.rapidCommit, data: Buffer.alloc(0) }, ...associations()],
          };
    }
    case types.request:
    case types.renew:
    case types.rebind:
      return { type: types.reply, options: associations() };
    case types.confirm: {
      if (asked.length === 0) return null;
      const isOnLink = asked.every((bits) =>
        place.subnets.some(({ cidr }) => contains(cidr, { family: 6, bits, length: 128 })),
      );
      const status = isOnLink
        ? statusOption(statuses.success, 'on link')
        : statusOption(statuses.notOnLink, 'not on link');
      return { type: types.reply, options: [status] };
    }
    case types.release:
    case types.decline:
      return { type: types.reply, options: [statusOption(statuses.success, 'noted')] };
    case types.informationRequest:
      return { type: types.reply, options: [] };
    default:
      return null;
  }
}

function placeOf(port: PuntPort, { relations, facts }: PuntView): Place {
  const subnets = relations.served6.get(port.id) ?? [];
  const stateful = subnets.filter(({ id }) => facts.dhcpSubnets.get(id)?.stateful === true);
  return { subnets, own: port.fixedIps.filter((ip) => stateful.some(({ cidr }) => contains(cidr, ip))) };
}

type PuntPort = Parameters<PuntHandler['handle']>[0]['local']['port'];

export const dhcp6 = (settings: DhcpSettings): PuntHandler => ({
  maxWaitingPerPort,
  handle: ({ data, local: { port } }, view) => {
    const request = readRequest(data);
    const [client] = request === null ? [] : optionsOf(request.message, codes.client);
    const place = placeOf(port, view);
    if (request === null || request.mac !== port.mac || place.subnets.length === 0) return ignored;
    const { message, ip } = request;
    // Only a request for information may come without the client's name.
    if (client === undefined && message.type !== types.informationRequest) return ignored;
    const answer = answerTo(message, place, settings);
    if (answer === null) return ignored;
    const names = [...(client === undefined ? [] : [{ code: codes.client, data: client }]), serverId];
    const options = [
      ...names,
      ...answer.options,
      ...configurationOf6(message, place.subnets, port, view, settings),
    ];
    const reply = buildDhcp6({ type: answer.type, transaction: message.transaction, options });
    const packets = [frameTo(request.mac, ip.src, reply)];
    const declined = message.type === types.decline ? place.own[0] : undefined;
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
