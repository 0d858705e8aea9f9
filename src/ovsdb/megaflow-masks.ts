/**
 * Parses the masks in the output of `dpctl/dump-flows -m` (ovs-dpctl(8)): the header bits that each megaflow
 * matches. The datapath searches one table a mask until a packet is found. The number of masks is therefore
 * the cost of a packet. Does no I/O.
 */

export interface MegaflowMasks {
  readonly megaflows: number;
  /** Number of different masks of all megaflows: a kernel datapath tries these for every packet. */
  readonly masks: number;
  /** The same by ingress port: the userspace datapath tries only the masks of the packet's port. */
  readonly masksOfPort: ReadonlyMap<string, number>;
}

/** A key with its parts, such as `udp(src=53/0,dst=68)` or `recirc_id(0x6)`. */
const key = /([a-z_0-9]+)\(([^()]*)\)/g;
/** The transport protocols, whose ports have the same bits in a mask. */
const withPorts = new Set(['tcp', 'udp', 'sctp']);

/** `exact`, a mask, or null where no bit is matched. */
function maskOf(value: string): string | null {
  const slash = value.lastIndexOf('/');
  if (slash < 0) return 'exact';
  const mask = value.slice(slash + 1);
  return /^[0x:.]*$/.test(mask) ? null : mask;
}

function signatureOf(megaflow: string): string {
  const parts: string[] = [];
  for (const [, name = '', body = ''] of megaflow.matchAll(key)) {
    const field = withPorts.has(name) ? 'ports' : name;
    for (const part of body.split(',')) {
      const equals = part.indexOf('=');
      const mask = maskOf(part.slice(equals + 1));
      if (mask !== null) parts.push(`${field}.${part.slice(0, Math.max(0, equals))}=${mask}`);
    }
  }
  return parts.join();
}

export function readMegaflowMasks(dump: string): MegaflowMasks {
  let megaflows = 0;
  const all = new Set<string>();
  const ofPort = new Map<string, Set<string>>();
  for (const line of dump.split('\n')) {
    const port = /in_port\(([^()]+)\)/.exec(line)?.[1];
    const end = line.indexOf(', packets:');
    if (port === undefined || end < 0) continue;
    megaflows++;
    const signature = signatureOf(line.slice(0, end));
    all.add(signature);
    const known = ofPort.get(port);
    if (known === undefined) ofPort.set(port, new Set([signature]));
    else known.add(signature);
  }
  return {
    megaflows,
    masks: all.size,
    masksOfPort: new Map([...ofPort].map(([port, masks]) => [port, masks.size])),
  };
}
