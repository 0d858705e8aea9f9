/**
 * The built-in DHCPv4 server (RFC 2131): answers the requests of ports here with what the model says about them.
 *
 * Idea: a port's addresses are in its record, so there are no leases to keep. Each request is answered from the facts
 * alone: neither the store nor another host is asked, and a guest gets its address while both are gone.
 * Invariants: the flow names the port, so no byte of the request decides whose addresses are given. The answer leaves by the
 * port that asked. Nothing that a guest sends is stored.
 */
import { type Cidr, contains, broadcast4 as everybody } from '../../net/cidr.ts';
import { broadcastMac, type Mac } from '../../net/mac.ts';
import {
  buildDhcp,
  dhcpOptions as codes,
  type Dhcp,
  dhcpPorts,
  emptyDhcp,
  parseDhcp,
  dhcpTypes as types,
} from '../../net/packet/dhcp.ts';
import { buildEthernet, etherTypes } from '../../net/packet/ethernet.ts';
import { parseFrame } from '../../net/packet/frame.ts';
import { buildIpv4 } from '../../net/packet/ipv4.ts';
import { buildUdp, protocols } from '../../net/packet/transport.ts';
import { serverAddress } from '../../pipeline/features/dhcp/relations.ts';
import type { Port, Subnet } from '../../policy/world.ts';
import { configurationOf, type DhcpSettings } from './dhcp4-configuration.ts';
import { ignored, type PuntHandler, type PuntOutcome, type PuntView } from './handler.ts';

/** The sender of all answers. No port can be mistaken for it: nothing is ever sent to it through the switch. */
export const serverMac = '02:50:43:00:00:43' as Mac;
/** As many as the meter lets through at once (agent/switch/metering.ts). */
const maxWaitingPerPort = 10;

interface Lease {
  readonly subnet: Subnet;
  readonly address: Cidr;
}

export const dhcp4 = (settings: DhcpSettings): PuntHandler => ({
  maxWaitingPerPort,
  handle: ({ data, local: { port } }, view) => {
    const request = readRequest(data);
    // A relayed request is about the guest of another network, whose addresses this port does not have.
    if (request === null || request.giaddr.bits !== 0n || request.chaddr !== port.mac) return ignored;
    const leases = leasesOf(port, view);
    const [first] = leases;
    if (first === undefined) return ignored;
    return answerTo(request, first, leases, (type, lease) => {
      const sent = type === types.nak ? refusal(request) : granted(request, type, lease);
      const { options, ...boot } = configurationOf(request, type, lease.subnet, port, view, settings);
      return frameOf(port, serverAddress(lease.subnet), { ...sent, ...boot, options });
    });
  },
});

/** Null for a frame that is no request of a client. Never throws. */
export function readRequest(data: Uint8Array): Dhcp | null {
  const upper = parseFrame(Buffer.from(data))?.ip?.upper;
  if (upper?.kind !== 'segment' || upper.dstPort !== dhcpPorts.server) return null;
  const request = parseDhcp(upper.payload);
  return request?.op === 1 ? request : null;
}

/** The port's addresses in subnets that are served, in the port's order. */
function leasesOf(port: Port, { relations }: PuntView): Lease[] {
  const subnets = relations.served4.get(port.id) ?? [];
  return port.fixedIps.flatMap((address) =>
    subnets.filter(({ cidr }) => contains(cidr, address)).map((subnet) => ({ subnet, address })),
  );
}

const optionOf = (request: Dhcp, code: number): Buffer | undefined =>
  request.options.find((option) => option.code === code)?.data;

function addressIn(request: Dhcp, code: number): bigint | null {
  const data = optionOf(request, code);
  return data?.length === 4 ? BigInt(data.readUInt32BE()) : null;
}

type Sending = (type: number, lease: Lease) => Uint8Array;

/** RFC 2131 4.3. `first` is what a client gets that asks for no address of its own. */
function answerTo(request: Dhcp, first: Lease, leases: readonly Lease[], send: Sending): PuntOutcome {
  const holding = (bits: bigint | null) => leases.find(({ address }) => address.bits === bits);
  const asked = addressIn(request, codes.requestedAddress);
  const answer = (type: number, lease: Lease): PuntOutcome => ({
    kind: 'answered',
    packets: [send(type, lease)],
  });
  switch (optionOf(request, codes.type)?.[0]) {
    case types.discover:
      return answer(types.offer, holding(asked) ?? first);
    case types.request: {
      const server = addressIn(request, codes.server);
      // A client that has chosen another server does not speak to this one.
      if (server !== null && !leases.some(({ subnet }) => serverAddress(subnet).bits === server))
        return ignored;
      const lease = holding(request.ciaddr.bits === 0n ? asked : request.ciaddr.bits);
      return lease === undefined ? answer(types.nak, first) : answer(types.ack, lease);
    }
    case types.inform:
      return answer(types.ack, holding(request.ciaddr.bits) ?? first);
    case types.decline: {
      const lease = holding(asked);
      return lease === undefined ? ignored : { kind: 'declined', address: lease.address, packets: [] };
    }
    default:
      // What is released stays the port's: the model gives addresses.
      return ignored;
  }
}

/** Header and lease of an offer or acknowledgement. An inform asks for no address. */
function granted(request: Dhcp, type: number, { address }: Lease): Omit<Dhcp, 'options'> {
  const isInform = type === types.ack && optionOf(request, codes.type)?.[0] === types.inform;
  return {
    ...emptyDhcp,
    op: 2,
    xid: request.xid,
    broadcast: request.broadcast,
    ciaddr: request.ciaddr,
    yiaddr: isInform ? emptyDhcp.yiaddr : address,
    chaddr: request.chaddr,
  };
}

/** By broadcast, since a client that is refused may have no address. */
const refusal = ({ xid, chaddr }: Dhcp): Omit<Dhcp, 'options'> => ({
  ...emptyDhcp,
  op: 2,
  xid,
  broadcast: true,
  chaddr,
});

/** To the address that the client has or is about to have, unless it hears broadcasts only (RFC 2131 4.1). */
function frameOf(port: Port, server: Cidr, message: Dhcp): Uint8Array {
  const own = message.ciaddr.bits === 0n ? message.yiaddr : message.ciaddr;
  const isBroadcast = (message.broadcast && message.ciaddr.bits === 0n) || own.bits === 0n;
  const dst = isBroadcast ? everybody : own;
  const datagram = buildUdp(server, dst, dhcpPorts.server, dhcpPorts.client, buildDhcp(message));
  const packet = buildIpv4(
    {
      src: server,
      dst,
      protocol: protocols.udp,
      ttl: 64,
      tos: 0x10,
      id: 0,
      dontFragment: false,
      moreFragments: false,
      fragmentOffset: 0,
      options: Buffer.alloc(0),
    },
    datagram,
  );
  const header = {
    dst: isBroadcast ? broadcastMac : port.mac,
    src: serverMac,
    tags: [],
    type: etherTypes.ipv4,
  };
  return buildEthernet(header, packet);
}
