/**
 * Megaflows of a datapath (`dpctl/dump-flows`), and the frames that each of them covers. Reads the fields
 * that guards match. A dump with another field is refused, because such a megaflow would seem to cover more
 * than it does.
 */
import { parseIp } from '../../src/net/cidr.ts';
import { macToBits, parseMac } from '../../src/net/mac.ts';
import { etherTypes } from '../../src/net/packet/ethernet.ts';
import { type Frame, type Ip, parseFrame } from '../../src/net/packet/frame.ts';
import { parseNeighbour } from '../../src/net/packet/icmpv6.ts';
import type { Switch } from './switch.ts';

type Bits = bigint;
interface MaskedBits {
  readonly value: Bits;
  readonly mask: Bits;
}

/** A megaflow for packets that come from a port, not from connection tracking. */
export interface Megaflow {
  readonly text: string;
  /** The name of the port. */
  readonly from: string;
  /** `ask`: the packet goes to connection tracking, and another megaflow decides on its result. */
  readonly outcome: 'drop' | 'ask' | 'pass';
  /** By header and field: `ipv6.src`. */
  readonly fields: ReadonlyMap<string, MaskedBits>;
}

export type FrameFields = ReadonlyMap<string, Bits>;

const all = (1n << 128n) - 1n;
const fragments: Readonly<Record<string, Bits>> = { no: 0n, first: 1n, later: 2n };
/** Fields that say nothing about the frame, or that repeat `from`. */
const passedOver: ReadonlySet<string> = new Set([
  'recirc_id',
  'in_port',
  'packet_type',
  'ct_state',
  'skb_priority',
  'skb_mark',
  'dp_hash',
]);

function bitsOf(text: string): Bits {
  const mac = parseMac(text);
  if (mac !== null) return macToBits(mac);
  const ip = /[.:]/.test(text) ? parseIp(text) : null;
  return ip?.bits ?? fragments[text] ?? BigInt(text);
}

function masked(text: string): MaskedBits {
  const [value = '', mask] = text.split('/');
  return { value: bitsOf(value), mask: mask === undefined ? all : bitsOf(mask) };
}

/** `a(…),b(…)` with nested parentheses, as pairs. */
function* headers(text: string): Generator<readonly [name: string, body: string]> {
  let [depth, began, name] = [0, 0, ''];
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === '(' && depth++ === 0) {
      name = text.slice(began, at).replace(/^,/, '').trim();
      began = at + 1;
    } else if (letter === ')' && --depth === 0) {
      yield [name, text.slice(began, at)];
      began = at + 1;
    }
  }
}

function verdictOf(actions: string): Megaflow['outcome'] {
  if (actions.trim() === 'drop') return 'drop';
  return actions.includes('recirc(') ? 'ask' : 'pass';
}

function parseMegaflow(line: string): Megaflow | null {
  const found = /^(?:ufid:\S+ )?(.*\)), packets:.*actions:(.*)$/.exec(line);
  if (found === null) return null;
  const [, key = '', actions = ''] = found;
  const fields = new Map<string, MaskedBits>();
  let from = '';
  for (const [name, body] of headers(key)) {
    if (name === 'recirc_id' && bitsOf(body) !== 0n) return null;
    if (name === 'in_port') from = body;
    // A kernel reports fields for which an older Open vSwitch has no name, and on which it therefore does not
    // decide.
    if (passedOver.has(name) || /^key\d+$/.test(name)) continue;
    // Behind a tag no field is read: tagged frames differ from others by their ethertype.
    if (name === 'vlan' || name === 'encap') continue;
    if (!body.includes('=')) fields.set(name, masked(body));
    else
      for (const part of body.split(',')) {
        const [field = '', value = ''] = part.split('=');
        fields.set(`${name}.${field}`, masked(value));
      }
  }
  return { text: line, from, outcome: verdictOf(actions), fields };
}

export async function megaflowsOf(at: Switch): Promise<Megaflow[]> {
  const dump = await at.appctl('dpctl/dump-flows', '--names');
  return dump.split('\n').flatMap((line) => parseMegaflow(line.trim()) ?? []);
}

function* ipFields(ip: Ip): Generator<readonly [string, Bits]> {
  const header = ip.family === 4 ? 'ipv4' : 'ipv6';
  yield [`${header}.src`, ip.src.bits];
  yield [`${header}.dst`, ip.dst.bits];
  yield [`${header}.proto`, BigInt(ip.protocol)];
  yield [ip.family === 4 ? 'ipv4.ttl' : 'ipv6.hlimit', BigInt(ip.hopLimit)];
  yield [`${header}.frag`, 0n];
  const { upper } = ip;
  if (upper?.kind === 'segment')
    for (const header of ['tcp', 'udp', 'sctp']) {
      yield [`${header}.src`, BigInt(upper.srcPort)];
      yield [`${header}.dst`, BigInt(upper.dstPort)];
    }
  if (upper?.kind !== 'icmp') return;
  const messages = ip.family === 4 ? 'icmp' : 'icmpv6';
  yield [`${messages}.type`, BigInt(upper.type)];
  yield [`${messages}.code`, BigInt(upper.code)];
  const discovery = ip.family === 6 && (upper.type === 135 || upper.type === 136);
  if (!discovery) return;
  const message = parseNeighbour(upper);
  yield ['nd.target', message?.target.bits ?? 0n];
  yield ['nd.sll', message?.source == null ? 0n : macToBits(message.source)];
  yield ['nd.tll', message?.targetMac == null ? 0n : macToBits(message.targetMac)];
}

function fieldsOf({ ethernet, arp, ip }: Frame): Map<string, Bits> {
  const fields = new Map<string, Bits>([
    ['eth.src', macToBits(ethernet.src)],
    ['eth.dst', macToBits(ethernet.dst)],
    ['eth_type', BigInt(ethernet.tags[0]?.tpid ?? ethernet.type ?? 0)],
  ]);
  if (ethernet.tags.length > 0) return fields;
  const header = ethernet.type === etherTypes.rarp ? 'rarp' : 'arp';
  if (arp !== null)
    for (const [name, value] of [
      ['sip', arp.spa.bits],
      ['tip', arp.tpa.bits],
      ['op', BigInt(arp.op)],
      ['sha', macToBits(arp.sha)],
      ['tha', macToBits(arp.tha)],
    ] as const) {
      fields.set(`arp.${name}`, value);
      fields.set(`${header}.${name}`, value);
    }
  if (ip !== null) for (const [name, value] of ipFields(ip)) fields.set(name, value);
  return fields;
}

/** Known of frames in general, so that a frame that lacks it is one that the decision is not about. */
const understood = /^(eth|arp|rarp|ipv4|ipv6|udp|tcp|sctp|icmp|icmpv6|nd)\.|^eth_type$/;
/** Fields that are equal in all frames of these tests. */
const neutral: ReadonlySet<string> = new Set(['ipv4.tos', 'ipv6.tclass', 'ipv6.label']);

/** The fields of a frame that is not a fragment. */
export function fieldsOfFrame(bytes: Buffer): FrameFields {
  const frame = parseFrame(bytes);
  if (frame === null) throw new Error('a frame without an Ethernet header');
  return fieldsOf(frame);
}

/** Whether the megaflow would apply to the frame. */
export function covers(megaflow: Megaflow, fields: FrameFields): boolean {
  for (const [name, { value, mask }] of megaflow.fields) {
    if (mask === 0n || neutral.has(name)) continue;
    if (!understood.test(name)) throw new Error(`a cached decision by ${name}: ${megaflow.text}`);
    const actual = fields.get(name);
    if (actual === undefined || ((actual ^ value) & mask) !== 0n) return false;
  }
  return true;
}
