/**
 * Claims of addresses that several ports may have: gratuitous ARP in each form, ARP answers, and neighbour
 * advertisements. The agent gets a copy of each; the claim itself goes on.
 *
 * Invariants: a flow names sender, MAC and address, behind the sender's guards, so no guest makes another's claim. Probes of
 * duplicate-address detection and questions of resolvers are no claims, and other traffic is none.
 */
import type { Cidr } from '../../../net/cidr.ts';
import { type Mac, macToBits } from '../../../net/mac.ts';
import { arpOps } from '../../../net/packet/arp.ts';
import { etherTypes } from '../../../net/packet/ethernet.ts';
import { icmpv6Types } from '../../../net/packet/icmpv6.ts';
import type { Port } from '../../../policy/world.ts';
import { branch, meter, punt, resubmit, throughMpls } from '../../actions.ts';
import { type Draft, flow } from '../../draft.ts';
import { type KeyedPort, sentBy } from '../../local-port.ts';
import { address, arp, discovery, icmp6, ipv6 } from '../../matches.ts';
import { after } from '../../positions.ts';

/** An address that a port may have with a MAC; null for any, where prefixes give it many. The agent then asks which. */
export interface Claimable {
  readonly mac: Mac;
  readonly ip: Cidr | null;
  /** Whether the claim also says who gets what is for the MAC. */
  readonly movesMac: boolean;
}

const arpClaims = (ip: Cidr | null) => {
  const [source, target] = ip === null ? [{}, {}] : [{ arp_spa: address(ip) }, { arp_tpa: address(ip) }];
  return [
    { ...arp, ...source, arp_op: arpOps.reply },
    { ...arp, ...source, ...target, arp_op: arpOps.request },
  ];
};

const ndClaim = (ip: Cidr | null) => ({
  ...discovery,
  icmpv6_type: icmpv6Types.neighbourAdvertisement,
  ...(ip === null ? {} : { nd_target: address(ip) }),
});

/**
 * Limits what is learned of a port, in the datapath, before ovs-vswitchd sees it: what is MPLS for a moment is looked up
 * again.
 */
export const claimLimit = (sender: KeyedPort & { readonly port: Port }, meterId: number): Draft[] =>
  [arp, ipv6].map((family) =>
    flow(
      'claim_limit',
      'port',
      { ...sentBy({ key: sender.key, networkKey: sender.networkKey }), ...family },
      {
        actions: [
          meter<'claim_limit'>(meterId),
          ...throughMpls<'claim_limit'>(etherTypes.mpls, family.eth_type),
          resubmit<'claim_limit'>('claim_state'),
        ],
      },
      { reason: 'claim-limit', port: sender.port.id },
    ),
  );

/**
 * `meter`: null where the switch has none. A guest could then keep agent and switch busy, so nothing follows from its
 * claims. `copies`: null for a port of another host, whose own agent gets the copies.
 */
export function claimFlows(
  { key, networkKey, port }: KeyedPort & { readonly port: Port },
  claimables: readonly Claimable[],
  meterId: number,
  copies: Uint8Array | null,
): Draft[] {
  const why = { reason: 'claim', port: port.id } as const;
  return claimables.flatMap(({ mac, ip, movesMac }) => {
    const from = { ...sentBy({ key, networkKey }), eth_src: macToBits(mac) };
    // A MAC that moves may also have prefixes.
    const band = movesMac ? 'moving' : 'claim';
    const copied = copies === null ? [] : [punt<'claimants'>(copies, meterId)];
    const then = { actions: movesMac ? [resubmit<'claimants'>('claim_limit')] : copied };
    return [
      ...(ip?.family === 4 ? [] : [ndClaim(ip)]).map((kind) =>
        flow('claimants', band, { ...kind, ...from }, then, why),
      ),
      ...(ip?.family === 6 ? [] : arpClaims(ip)).map((kind) =>
        flow('claimants', band, { ...kind, ...from, arp_sha: macToBits(mac) }, then, why),
      ),
    ];
  });
}

/** The claim goes on first: what is behind a lookup of MPLS never comes back. */
const advertisement = { ...icmp6, icmpv6_type: icmpv6Types.neighbourAdvertisement } as const;

export const claimDefaults: readonly Draft[] = [
  ...[arp, advertisement].map((kind) =>
    flow(
      'claims',
      'kind',
      kind,
      { actions: [resubmit('learned_macs'), branch<'claims'>({}, after('claims')), resubmit('claimants')] },
      { reason: 'maybe-claim' },
    ),
  ),
  flow(
    'claims',
    'none',
    {},
    { actions: [resubmit('learned_macs')], goto: after('claims') },
    { reason: 'no-claim' },
  ),
];
