/**
 * A guest that answers every request for an address or a router, in every form that might pass a guard. It
 * answers from any port, to one or to all, behind options and extension headers, and in fragments. It uses
 * packet sockets and nothing of the switch.
 */
import { type Cidr, linkLocalOf } from '../../src/net/cidr.ts';
import { broadcastMac } from '../../src/net/mac.ts';
import { buildDhcp, emptyDhcp, parseDhcp } from '../../src/net/packet/dhcp.ts';
import { buildEthernet, etherTypes } from '../../src/net/packet/ethernet.ts';
import { type Frame, parseFrame } from '../../src/net/packet/frame.ts';
import { routerAdvertisement, sourceOption } from '../../src/net/packet/icmpv6.ts';
import { buildIpv4 } from '../../src/net/packet/ipv4.ts';
import type { Extension } from '../../src/net/packet/ipv6.ts';
import { buildUdp, protocols } from '../../src/net/packet/transport.ts';
import { fragmentsOf, groupMac, icmpFrame, ip, mac, type Network, udpFrame } from '../lib/frames.ts';
import type { Member } from './cloud.ts';

const [allHosts, allNodes] = [ip('255.255.255.255'), ip('ff02::1')];
/** Answers have addresses that end in this, which identifies them. */
export const forged = { address4: '192.0.2.66', address6: '2001:db8::66', lifetime: 1234 } as const;

const padding = Buffer.from([1, 4, 0, 0, 0, 0]);
const headers: readonly (readonly Extension[])[] = [
  [],
  [{ kind: 'plain', header: 0, body: padding }],
  [{ kind: 'plain', header: 60, body: padding }],
  [{ kind: 'fragment', offset: 0, more: false, id: 7 }],
];
/** Makes a datagram long enough for valid fragments. */
const filling = 1400;
const cut = (frame: Buffer): Buffer[] => fragmentsOf(frame, [1248], 1 + Math.floor(Math.random() * 0xfffe));

function answers4(self: Member, { ethernet, ip: asked }: Frame): Buffer[] {
  const payload = asked?.upper?.kind === 'segment' ? parseDhcp(asked.upper.payload) : null;
  if (payload === null || payload.op !== 1) return [];
  const said = payload.options.find(({ code }) => code === 53)?.data[0];
  const number = (value: number): Buffer => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value]);
  const own = ip(self.ip);
  const message = buildDhcp({
    ...emptyDhcp,
    op: 2,
    xid: payload.xid,
    yiaddr: ip(forged.address4),
    chaddr: payload.chaddr,
    options: [
      { code: 53, data: Buffer.from([said === 1 ? 2 : 5]) },
      { code: 54, data: number(Number(own.bits)) },
      { code: 51, data: number(600) },
      { code: 1, data: number(0xffffff00) },
    ],
  });
  const layer = (to: Cidr): Network => ({
    from: mac(self.mac),
    to: to === allHosts ? broadcastMac : ethernet.src,
    src: own,
    dst: to,
  });
  return [allHosts, ip(forged.address4)].flatMap((to) =>
    [67, 4000, 68, 1].flatMap((port) => [
      udpFrame(layer(to), port, 68, message),
      ...cut(udpFrame(layer(to), port, 68, Buffer.concat([message, Buffer.alloc(filling)]))),
      withOptions(layer(to), port, message),
    ]),
  );
}

/** Behind four IPv4 options without effect. */
function withOptions(layer: Network, port: number, message: Buffer): Buffer {
  const { from, to, src, dst } = layer;
  const fields = { tos: 0, id: 5, dontFragment: false, moreFragments: false, fragmentOffset: 0 };
  const header = {
    src,
    dst,
    protocol: protocols.udp,
    ttl: 64,
    ...fields,
    options: Buffer.from([1, 1, 1, 1]),
  };
  const packet = buildIpv4(header, buildUdp(src, dst, port, 68, message));
  return buildEthernet({ dst: to, src: from, tags: [], type: etherTypes.ipv4 }, packet);
}

const option = (code: number, ...data: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(data);
  const head = Buffer.alloc(4);
  head.writeUInt16BE(code, 0);
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, body]);
};

function optionOf(data: Buffer, wanted: number): Buffer | null {
  for (let at = 0; at + 4 <= data.length; ) {
    const end = at + 4 + data.readUInt16BE(at + 2);
    if (data.readUInt16BE(at) === wanted) return data.subarray(at + 4, end);
    at = end;
  }
  return null;
}

const bytesOf = ({ bits }: Cidr): Buffer => Buffer.from(bits.toString(16).padStart(32, '0'), 'hex');
const seconds = (value: number): Buffer => Buffer.from([0, 0, value >>> 8, value & 0xff]);

/** DHCPv6 (RFC 8415): an ADVERTISE for a SOLICIT, a REPLY for every other message. */
function answers6(self: Member, { ethernet, ip: asked }: Frame): Buffer[] {
  const { upper } = asked ?? {};
  if (asked == null || upper?.kind !== 'segment' || upper.dstPort !== 547) return [];
  const options = upper.payload.subarray(4);
  const [client, association] = [optionOf(options, 1), optionOf(options, 3)];
  if (client === null || association === null) return [];
  const server = Buffer.from(`00030001${self.mac.replaceAll(':', '')}`, 'hex');
  const lease = option(5, bytesOf(ip(forged.address6)), seconds(600), seconds(900));
  const message = Buffer.concat([
    Buffer.from([upper.payload[0] === 1 ? 2 : 7]),
    upper.payload.subarray(1, 4),
    option(1, client),
    option(2, server),
    option(3, association.subarray(0, 4), seconds(300), seconds(500), lease),
  ]);
  return everyWay(self, asked.src, { to: ethernet.src }).flatMap((layer) =>
    [547, 4000, 546].flatMap((port) => [
      udpFrame(layer, port, 546, message),
      ...cut(udpFrame(layer, port, 546, Buffer.concat([message, option(60000, Buffer.alloc(filling))]))),
    ]),
  );
}

function answersRouter(self: Member, { ethernet, ip: asked }: Frame): Buffer[] {
  if (asked?.upper?.kind !== 'icmp' || asked.family !== 6 || asked.upper.type !== 133) return [];
  const options = [sourceOption(mac(self.mac))];
  const long = routerAdvertisement(forged.lifetime, [...options, { type: 253, body: Buffer.alloc(filling) }]);
  return everyWay(self, asked.src, { to: ethernet.src }).flatMap((way) => {
    const layer = { ...way, hopLimit: 255 };
    const frame = icmpFrame(layer, routerAdvertisement(forged.lifetime, options));
    return [frame, ...cut(icmpFrame(layer, long))];
  });
}

/** To the client and to all, behind each header. */
function everyWay(self: Member, asker: Cidr, { to }: Pick<Network, 'to'>): Network[] {
  const src = linkLocalOf(mac(self.mac));
  const from = mac(self.mac);
  return headers.flatMap((extensions): Network[] => [
    { from, to, src, dst: asker, extensions },
    { from, to: groupMac(allNodes) ?? to, src, dst: allNodes, extensions },
  ]);
}

/** Answers until it is stopped. */
export class Forger {
  readonly #self: Member;
  #running = true;
  #work: Promise<void> = Promise.resolve();
  #answered = 0;

  constructor(self: Member) {
    this.#self = self;
  }

  /** Frames sent so far. */
  get answered(): number {
    return this.#answered;
  }

  async start(): Promise<void> {
    await this.#self.probe.sniff('forger');
    this.#work = this.#answer();
  }

  async #answer(): Promise<void> {
    const { probe } = this.#self;
    while (this.#running)
      for (const { frame: bytes } of await probe.sniffed('forger')) {
        const frame = parseFrame(bytes);
        if (frame === null || frame.ethernet.src === this.#self.mac) continue;
        const frames = [answers4, answers6, answersRouter].flatMap((answer) => answer(this.#self, frame));
        if (frames.length > 0) await probe.send(...frames);
        this.#answered += frames.length;
      }
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#work;
  }
}
