/**
 * Parses the output of `dpctl/dump-conntrack` (ovs-dpctl(8)): one connection a line. A line that it cannot
 * parse is returned as it is. It never throws.
 */
import { type Cidr, parseIp } from '../net/cidr.ts';

/** The direction of a connection's first packet. */
export interface ConntrackTuple {
  readonly src: Cidr;
  readonly dst: Cidr;
  readonly layer4: /** Both 0 for a protocol whose ports the datapath does not track. */
    | { readonly kind: 'ports'; readonly src: number; readonly dst: number }
    | { readonly kind: 'icmp'; readonly id: number; readonly type: number; readonly code: number };
}

export interface ConntrackEntry {
  /** IP protocol number. */
  readonly protocol: number;
  readonly original: ConntrackTuple;
  /** 0 when the line has none. */
  readonly zone: number;
  /** 128 bits. */
  readonly label: bigint;
  readonly mark: number;
}

export interface ConntrackDump {
  readonly entries: readonly ConntrackEntry[];
  readonly unreadable: readonly string[];
}

/** The protocol names that OVS prints; it prints every other protocol as a number. */
const names: ReadonlyMap<string, number> = new Map([
  ['icmp', 1],
  ['igmp', 2],
  ['tcp', 6],
  ['udp', 17],
  ['dccp', 33],
  ['icmpv6', 58],
  ['sctp', 132],
  ['udplite', 136],
]);

const addresses = 'src=([^,()]+),dst=([^,()]+)';
const layer4 = '(?:sport=(\\d+),dport=(\\d+)|id=(\\d+),type=(\\d+),code=(\\d+))';
const line = new RegExp(`^(\\w+),orig=\\(${addresses},${layer4}\\),reply=\\([^()]*\\)(.*)$`);

/** Parsed addresses by their text: a dump repeats a few of them very often. */
type Addresses = Map<string, Cidr | null>;

function addressOf(text: string, known: Addresses): Cidr | null {
  let address = known.get(text);
  if (address === undefined) known.set(text, (address = parseIp(text)));
  return address;
}

/** A whole number within bounds; null for anything else. */
function number(text: string, most: number): number | null {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value <= most ? value : null;
}

function layer4Of(numbers: readonly (string | undefined)[]): ConntrackTuple['layer4'] | null {
  const [from, to, id, type, code] = numbers.map(Number);
  if (from !== undefined && to !== undefined && from <= 0xffff && to <= 0xffff)
    return { kind: 'ports', src: from, dst: to };
  if (id === undefined || type === undefined || code === undefined) return null;
  return id <= 0xffff && type <= 0xff && code <= 0xff ? { kind: 'icmp', id, type, code } : null;
}

/** The value of `,name=value`; undefined when it is absent. */
function field(text: string, name: string): string | undefined {
  const at = text.indexOf(`,${name}=`);
  if (at < 0) return undefined;
  const end = text.indexOf(',', at + 1);
  return text.slice(at + name.length + 2, end < 0 ? undefined : end);
}

function labelOf(text: string | undefined): bigint | null {
  if (text === undefined) return 0n;
  return /^0x[0-9a-f]{1,32}$/i.test(text) ? BigInt(text) : null;
}

/** Null when the line lacks the fields that identify a connection. */
export function parseConntrackLine(text: string, known: Addresses = new Map()): ConntrackEntry | null {
  const [, name, from, to, ...others] = line.exec(text) ?? [];
  if (name === undefined || from === undefined || to === undefined) return null;
  // The protocol's own state is in brackets, and may have fields of any name in it.
  const rest = (others[5] ?? '').replace(/\([^()]*\)/g, '');
  const protocol = names.get(name) ?? number(name, 0xff);
  const src = addressOf(from, known);
  const dst = addressOf(to, known);
  const layer = layer4Of(others.slice(0, 5));
  const zone = number(field(rest, 'zone') ?? '0', 0xffff);
  const label = labelOf(field(rest, 'labels'));
  const mark = number(field(rest, 'mark') ?? '0', 0xffffffff);
  if (protocol === null || src?.family !== dst?.family || zone === null || label === null) return null;
  if (src === null || dst === null || layer === null || mark === null) return null;
  return { protocol, original: { src, dst, layer4: layer }, zone, label, mark };
}

/** The zone of a line. Zone 0, that of the host's own connections, is not printed. */
export const zoneOfLine = (text: string): number => Number(/,zone=(\d+)/.exec(text)?.[1] ?? 0);

/** With `zones`, skips the connections of all other zones: a host may have very many of its own. */
export function parseConntrack(dump: string, zones?: ReadonlySet<number>): ConntrackDump {
  const entries: ConntrackEntry[] = [];
  const unreadable: string[] = [];
  const known: Addresses = new Map();
  for (const text of dump.split('\n')) {
    if (text.trim() === '' || zones?.has(zoneOfLine(text)) === false) continue;
    const entry = parseConntrackLine(text, known);
    if (entry === null) unreadable.push(text);
    else entries.push(entry);
  }
  return { entries, unreadable };
}
