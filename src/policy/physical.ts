/**
 * Physical networks in a walk: which network of a host a frame from outside is of, and when a frame leaves for outside.
 * Physical neighbours are nobody of this cloud; only the rules of receivers apply to what they send.
 */
import { isMulticastMac, type Mac } from '../net/mac.ts';
import { parseFrame } from '../net/packet/frame.ts';
import { isGivenTo } from './delivery.ts';
import type { DropReason } from './drop-reasons.ts';
import { identityOf } from './identity.ts';
import type { NetworkId, PhysicalSegment, Port, World } from './world.ts';
import { portsOf } from './world-index.ts';

/** Where the host reaches the network outside; null where it does not. */
export function segmentAt(world: World, host: string, network: NetworkId): PhysicalSegment | null {
  const { physical } = world.networks.get(network) ?? {};
  return physical !== undefined && world.bridged.get(host)?.has(physical.network) === true ? physical : null;
}

const holdersOf = (world: World, network: NetworkId, mac: Mac): readonly Port[] =>
  portsOf(world, network).filter((port) => identityOf(world, port).macs.has(mac));

const isElsewhere = ({ host }: Port, here: string): boolean => host !== null && host !== here;

/** Whether what a port of the host sends to the MAC goes outside too. A MAC that no port here has is somebody's there. */
export function leavesFor(world: World, host: string, network: NetworkId, dst: Mac): boolean {
  if (!carries(world, host, network)) return false;
  const holders = holdersOf(world, network, dst).filter((port) => isGivenTo(world, port, dst));
  return (
    isMulticastMac(dst) ||
    !holders.some((port) => port.host === host) ||
    holders.some((port) => isElsewhere(port, host))
  );
}

/** Whether a frame from outside has the MAC of a port here as its source, and no other host has such a port. */
export function isOwnMac(world: World, host: string, network: NetworkId, src: Mac): boolean {
  const holders = holdersOf(world, network, src);
  return holders.some((port) => port.host === host) && !holders.some((port) => isElsewhere(port, host));
}

/** A host lets in the networks that a port of its own is in. */
export const carries = (world: World, host: string, network: NetworkId): boolean =>
  segmentAt(world, host, network) !== null && portsOf(world, network).some((port) => port.host === host);

const tagLength = 4;
const tagOffset = 12;

/** The frame without its tag, and the network that it is of; or why it is dropped before it is of any. */
export function untagged(
  world: World,
  host: string,
  physical: string,
  bytes: Buffer,
): { readonly network: NetworkId; readonly bytes: Buffer } | DropReason {
  const tags = parseFrame(bytes)?.ethernet.tags ?? [];
  if (tags.length > 1) return 'vlan-tagged';
  const [tag] = tags;
  const vlan = tag === undefined ? 0 : tag.tci & 0xfff;
  for (const { id, physical: segment } of world.networks.values()) {
    if (segment?.network !== physical || (segment.vlan ?? 0) !== vlan || !carries(world, host, id)) continue;
    const rest = bytes.subarray(tag === undefined ? tagOffset : tagOffset + tagLength);
    return { network: id, bytes: Buffer.concat([bytes.subarray(0, tagOffset), rest]) };
  }
  return 'unknown-vlan';
}
