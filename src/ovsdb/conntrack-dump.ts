/**
 * Reads what `dpctl/dump-conntrack` prints (ovs-dpctl(8)): one connection a line. A line that it cannot read is
 * given back as it is; nothing is thrown.
 */
import { type Cidr, parseIp } from '../net/cidr.ts';

/** The direction of a connection's first packet. */
export interface ConntrackTuple {
  readonly src: Cidr;
  readonly dst: Cidr;
  readonly layer4: /** Both 0 of a protocol whose ports the datapath does not know. */
    | { readonly kind: 'ports'; readonly src: number; readonly dst: number }
    | { readonly kind: 'icmp'; readonly id: number; readonly type: number; readonly code: number };
}

export interface ConntrackEntry {
  /** IP protocol number. */
  readonly protocol: number;
  readonly original: ConntrackTuple;
  /** 0 when none is printed. */
  readonly zone: number;
  /** 128 bits. */
  readonly label: bigint;
}

export interface ConntrackDump {
  readonly entries: readonly ConntrackEntry[];
  readonly unreadable: readonly string[];
}

/** The names that are printed; every other protocol is a number. */
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

const line = /^(\w+),orig=\(([^()]*)\),reply=\([^()]*\)(.*)$/;

/** A whole number within bounds; null for anything else, also for what is missing. */
function number(text: string | undefined, most: number): number | null {
  const value = text !== undefined && /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value <= most ? value : null;
}

/** `key=value,…`; what has no `=` is left out, and so is what stands in brackets. */
const fieldsOf = (text: string): Map<string, string> =>
  new Map(
    text.split(',').flatMap((field) => {
      const at = field.indexOf('=');
      return at < 0 ? [] : [[field.slice(0, at), field.slice(at + 1)] as const];
    }),
  );

function tupleOf(text: string): ConntrackTuple | null {
  const fields = fieldsOf(text);
  const src = parseIp(fields.get('src') ?? '');
  const dst = parseIp(fields.get('dst') ?? '');
  if (src === null || dst === null || src.family !== dst.family) return null;
  if (fields.has('type')) {
    const id = number(fields.get('id'), 0xffff);
    const type = number(fields.get('type'), 0xff);
    const code = number(fields.get('code'), 0xff);
    if (id === null || type === null || code === null) return null;
    return { src, dst, layer4: { kind: 'icmp', id, type, code } };
  }
  const from = number(fields.get('sport'), 0xffff);
  const to = number(fields.get('dport'), 0xffff);
  if (from === null || to === null) return null;
  return { src, dst, layer4: { kind: 'ports', src: from, dst: to } };
}

function labelOf(text: string | undefined): bigint | null {
  if (text === undefined) return 0n;
  return /^0x[0-9a-f]{1,32}$/i.test(text) ? BigInt(text) : null;
}

/** Null when it is not a connection that can be told from the others. */
export function parseConntrackLine(text: string): ConntrackEntry | null {
  const [, name = '', tuple = '', rest = ''] = line.exec(text) ?? [];
  const protocol = names.get(name) ?? number(name, 0xff);
  const original = tupleOf(tuple);
  // What describes the protocol's own state is in brackets, and may have fields of any name in it.
  const fields = fieldsOf(rest.replace(/\([^()]*\)/g, ''));
  const zone = number(fields.get('zone') ?? '0', 0xffff);
  const label = labelOf(fields.get('labels'));
  if (protocol === null || original === null || zone === null || label === null) return null;
  return { protocol, original, zone, label };
}

export function parseConntrack(dump: string): ConntrackDump {
  const entries: ConntrackEntry[] = [];
  const unreadable: string[] = [];
  for (const text of dump.split('\n')) {
    if (text.trim() === '') continue;
    const entry = parseConntrackLine(text);
    if (entry === null) unreadable.push(text);
    else entries.push(entry);
  }
  return { entries, unreadable };
}
