/**
 * Packets from and to physical networks (Neutron's provider networks of the types flat and vlan).
 *
 * # Idea
 * A patch port leads to the bridge of a physical network. What comes from it goes straight to forwarding: its sender is
 * nobody of this cloud, or a port of another host that has applied the sender's rules. The receiver's rules judge it.
 * A register says that a packet is to leave; the tag is pushed when it does, so flows see guests' frames without one.
 *
 * # Invariants
 * - A network is let in only where a port of this host is in it.
 * - What comes from a physical network goes to none, and into no tunnel (features/forwarding).
 * - A frame leaves with exactly one tag, or with none on a flat network: what a guest has tagged itself does not leave.
 * - A frame from outside whose source is the MAC of a port here, and of no other host's, is forged or came back: dropped.
 *
 * Rejected: a key of its own in connection records. Nobody's key, 0, says the same: no port here is on that side.
 */
import { type Mac, macToBits } from '../../../net/mac.ts';
import { etherTypes } from '../../../net/packet/ethernet.ts';
import { vlanPresent } from '../../../openflow/index.ts';
import { type ActionOf, output, popVlan, pushVlan } from '../../actions.ts';
import { type Draft, drop, flow } from '../../draft.ts';
import { tagged } from '../../matches.ts';
import { after } from '../../positions.ts';
import { flag, outside, register } from '../../registers.ts';
import { inOrigin } from '../isolation/roles.ts';
import type { LocalSegment } from './relations.ts';

const why = { reason: 'physical' } as const;

/** IEEE 802.1Q: VLAN 0 is a priority tag alone. */
const priorityTag = { vlan_vid: vlanPresent } as const;
const untagged = { vlan_vid: 0 } as const;

/** The frames of a segment, with what makes them those of a guest. */
const framesOf = ({ vlan }: LocalSegment) =>
  vlan === null
    ? ([
        [untagged, []],
        [priorityTag, [popVlan<'physical'>()]],
      ] as const)
    : ([[{ vlan_vid: vlanPresent | vlan }, [popVlan<'physical'>()]]] as const);

export const fromPatch = (ofport: number): Draft[] => [
  flow('classify', 'port', { in_port: ofport }, { goto: 'physical' }, why),
  // The switch reads one tag, and shows that of a second one as the type.
  ...[etherTypes.vlan, etherTypes.serviceVlan].map((type) =>
    drop(
      'physical',
      'nested',
      { in_port: ofport, vlan_vid: tagged.vlan_vid, eth_type: type },
      { reason: 'vlan-tagged', drop: 'ingress' },
    ),
  ),
];

/** Nobody has tracked the packet on this host. */
const flags = flag.untracked | flag.tunnelled;

/** What comes in; `role` is 0 outside isolated networks. With a MAC, only frames from it. */
export function inward(segment: LocalSegment, role: number, mac?: Mac): Draft[] {
  const { network, key, zone, ofport } = segment;
  const load = {
    [register.zone]: zone,
    [register.network]: key,
    [register.flags]: flags,
    ...(role === 0 ? {} : { [register.origin]: inOrigin(role) }),
  };
  const source = mac === undefined ? {} : { eth_src: macToBits(mac) };
  return framesOf(segment).map(([frame, actions]) =>
    flow(
      'physical',
      mac === undefined ? 'segment' : 'outerMac',
      { in_port: ofport, ...frame, ...source },
      { load, actions, goto: after('egressQos') },
      { ...why, network },
    ),
  );
}

export function segmentFlows(segment: LocalSegment, role: number): Draft[] {
  const { network, key, ofport, vlan } = segment;
  const subject = { ...why, network };
  const leaves = { [register.host]: outside, [register.network]: key } as const;
  const tag: readonly ActionOf<'dispatch'>[] = vlan === null ? [] : pushVlan<'dispatch'>(vlan);
  return [
    ...inward(segment, role),
    flow('dispatch', 'physical', leaves, { actions: [...tag, output(ofport)] }, subject),
    drop('dispatch', 'tagged', { ...leaves, ...tagged }, { reason: 'vlan-tagged', drop: 'egress', network }),
  ];
}

export function ownMac(segment: LocalSegment, mac: Mac): Draft[] {
  return framesOf(segment).map(([frame]) =>
    drop(
      'physical',
      'ownMac',
      { in_port: segment.ofport, ...frame, eth_src: macToBits(mac) },
      { reason: 'physical-spoof', drop: 'ingress', network: segment.network },
    ),
  );
}

export const physicalDefaults: readonly Draft[] = [
  drop('physical', 'unknown', {}, { reason: 'unknown-vlan', drop: 'ingress' }),
];
