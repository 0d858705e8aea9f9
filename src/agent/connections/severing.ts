/**
 * Makes the switch forget single connections. Knows the ways that are exact and fast there, and keeps away from those
 * that harm it; which connections, and whether they are gone, others decide.
 *
 * Open vSwitch 3.1 ends itself when a flush names or meets an ICMPv6 connection, so ICMP goes another way: an answer
 * that is committed by force ends the connection that it belongs to, and begins none. On kernels a flush names
 * TCP and UDP at most; `refuting.ts` has the way for all others there.
 */
import { type Cidr, widthOf } from '../../net/cidr.ts';
import { macFromBits } from '../../net/mac.ts';
import { buildEthernet, etherTypes } from '../../net/packet/ethernet.ts';
import { buildIcmp } from '../../net/packet/icmp.ts';
import { buildIpv4 } from '../../net/packet/ipv4.ts';
import { buildIpv6 } from '../../net/packet/ipv6.ts';
import { protocols } from '../../net/packet/transport.ts';
import type { CtFlush, Session } from '../../openflow/index.ts';
import type { ConntrackEntry, ConntrackTuple } from '../../ovsdb/index.ts';
import { refute } from './refuting.ts';

/** Connections that are flushed between two barriers: with ports, and by a scan of the table each. */
const batch = { fast: 1000, slow: 8 } as const;

/** What Open vSwitch can flush by its tuple on kernels. */
const flushable: ReadonlySet<number> = new Set([protocols.tcp, protocols.udp]);

/** ICMP's and ICMPv6's questions, and the types of their answers; nothing else is tracked. */
const answers: ReadonlyMap<string, number> = new Map([
  ['1/8', 0],
  ['1/13', 14],
  ['1/15', 16],
  ['58/128', 129],
]);

const mapped = 0xffffn << 32n;
const address = ({ family, bits }: Cidr): bigint => (widthOf(family) === 32 ? mapped | bits : bits);

type IcmpTuple = ConntrackTuple & { readonly layer4: { readonly kind: 'icmp' } };
const isIcmp = (tuple: ConntrackTuple): tuple is IcmpTuple => tuple.layer4.kind === 'icmp';

/** The answer to the question that began the connection; null when it has none. */
function answerTo(protocol: number, { src, dst, layer4 }: IcmpTuple): Buffer | null {
  const type = answers.get(`${protocol}/${layer4.type}`);
  if (type === undefined) return null;
  const message = { type, code: layer4.code, rest: layer4.id * 0x10000, body: Buffer.alloc(12) };
  const payload = buildIcmp(dst, src, message);
  const ends = { dst: macFromBits(0x020000000001n), src: macFromBits(0x020000000002n), tags: [] };
  const way = { src: dst, dst: src, protocol };
  if (src.family === 6) {
    const header = { ...way, hopLimit: 64, trafficClass: 0, flowLabel: 0, extensions: [] };
    return buildEthernet({ ...ends, type: etherTypes.ipv6 }, buildIpv6(header, payload));
  }
  const whole = { tos: 0, id: 0, dontFragment: false, moreFragments: false, fragmentOffset: 0 };
  const header = { ...way, ...whole, ttl: 64, options: Buffer.alloc(0) };
  return buildEthernet({ ...ends, type: etherTypes.ipv4 }, buildIpv4(header, payload));
}

function flushOf({ protocol, original: { src, dst, layer4 }, zone }: ConntrackEntry): Omit<CtFlush, 'type'> {
  const ports = layer4.kind === 'ports' ? { srcPort: layer4.src, dstPort: layer4.dst } : {};
  return { protocol, zone, original: { src: address(src), dst: address(dst), ...ports } };
}

/** What cutting needs of the session with the switch. */
export type CuttingSession = Pick<Session, 'barrier' | 'flushConntrack' | 'flushZone' | 'packetOut'>;

const hasPorts = ({ original: { layer4 } }: ConntrackEntry): boolean =>
  layer4.kind === 'ports' && layer4.src !== 0 && layer4.dst !== 0;

async function flush(
  session: CuttingSession,
  entries: readonly ConntrackEntry[],
  size: number,
): Promise<void> {
  for (let at = 0; at < entries.length; at += size)
    await session.flushConntrack(...entries.slice(at, at + size).map(flushOf));
}

/**
 * Resolves when the switch has been told to forget these connections, and only these. Rejects with what the session
 * says. `onKernel`: its datapath is the kernel's.
 */
export async function sever(
  session: CuttingSession,
  entries: readonly ConntrackEntry[],
  onKernel: boolean,
): Promise<void> {
  const fast: ConntrackEntry[] = [];
  const slow: ConntrackEntry[] = [];
  for (const entry of entries) {
    const { protocol, original, zone } = entry;
    const data = isIcmp(original) ? answerTo(protocol, original) : null;
    if (data !== null)
      session.packetOut({ data, actions: [{ type: 'ct', commit: true, force: true, zone }] });
    else if (onKernel && !flushable.has(protocol)) refute(session, entry);
    // No other ICMP is tracked there.
    else if (!isIcmp(original)) (hasPorts(entry) ? fast : slow).push(entry);
  }
  await flush(session, fast, batch.fast);
  await flush(session, slow, batch.slow);
  await session.barrier();
}
