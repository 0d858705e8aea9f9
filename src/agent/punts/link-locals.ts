/**
 * Handler of link-local addresses that guests make up for themselves (RFC 7217, RFC 8981).
 *
 * Idea: a guest's duplicate-address probe reaches the agent instead of the network. If nobody has the address, it is
 * recorded for the port, and the probe goes on. Otherwise the probe ends here, and the guest keeps the address no less
 * than if its holder had not answered: its packets are dropped.
 *
 * Invariants: a record is no grant. The pipeline asks again who has the address whenever the model changes. An agent
 * that is away delays only addresses that were never seen before.
 */
import { keys } from '../../model/keys.ts';
import type { LinkLocalRecord } from '../../model/records.ts';
import { type Cidr, contains, formatCidr, linkLocalPrefix } from '../../net/cidr.ts';
import type { Mac } from '../../net/mac.ts';
import { type Frame, parseFrame } from '../../net/packet/frame.ts';
import { parseNeighbour } from '../../net/packet/icmpv6.ts';
import { otherOwner } from '../../pipeline/features/guards/link-locals.ts';
import type { NetworkId, PortId } from '../../policy/world.ts';
import { ignored, type PuntHandler, type PuntOutcome, type PuntView } from './handler.ts';

/** Max records of one port; a new one replaces the oldest. A guest needs one for each MAC; some make one at each start. */
const maxPerPort = 8;

export const linkLocals: PuntHandler = {
  // As many as its meter lets through at once (agent/switch/metering.ts).
  maxWaitingPerPort: 10,
  handle: ({ data, local }, view) => {
    const probe = readProbe(data);
    if (probe === null || !local.macs.includes(probe.mac)) return ignored;
    const { id, network } = local.port;
    const address = formatCidr(probe.target);
    const owner = ownerOf(probe.target, id, network, view);
    if (owner !== null) return { kind: 'refused', address, owner };
    const known = view.facts.linkLocals.get(`${network}|${address}`);
    if (known?.port === id && known.mac === probe.mac) return ignored;
    return record(id, network, address, probe.mac, known ?? null, view);
  },
};

function record(
  port: PortId,
  network: NetworkId,
  address: string,
  mac: Mac,
  known: LinkLocalRecord | null,
  view: PuntView,
): PuntOutcome {
  const key = keys.linkLocal(network, address);
  const textOf = (of: LinkLocalRecord): string => JSON.stringify({ port: of.port, mac: of.mac });
  const oldest = [...view.facts.linkLocals.entries()]
    .filter(([, item]) => item.port === port)
    .slice(0, -(maxPerPort - 1))
    .map(([, item]) => keys.linkLocal(network, formatCidr(item.address)))
    .filter((old) => old !== key);
  return {
    kind: 'recorded',
    // The port has another MAC now, or the address is granted to nobody any more: then its record is replaced.
    replaces: known && textOf(known),
    conditions: [{ key: keys.port(network, port), is: 'present' }],
    put: { key, value: textOf({ port, mac }) },
    deletes: oldest,
  };
}

/** Who has the address, by name or by a record that is granted, other than the port. */
function ownerOf(target: Cidr, port: PortId, network: NetworkId, { relations }: PuntView): string | null {
  const { linkLocals: known } = relations;
  const granted = known.granted.get(`${network}|${formatCidr(target)}`);
  if (granted !== undefined && granted.port !== port) return granted.port;
  return otherOwner(known, (relation, key) => relation.get(key), port, network, target);
}

/** Null for a frame that is no such probe. Never throws. */
export function readProbe(data: Uint8Array): { readonly mac: Mac; readonly target: Cidr } | null {
  const frame: Frame | null = parseFrame(Buffer.from(data));
  if (frame?.ip?.upper?.kind !== 'icmp') return null;
  const target = parseNeighbour(frame.ip.upper)?.target;
  return target !== undefined && contains(linkLocalPrefix, target)
    ? { mac: frame.ethernet.src, target }
    : null;
}
