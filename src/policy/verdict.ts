/**
 * What the evaluator answers: the names of all reasons to drop, and the shape of a verdict.
 */
import type { Cidr } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import type { Tracker } from './conntrack.ts';
import type { PortId } from './world.ts';

/** Stable names, the same that counters show. */
export type DropReason =
  | 'admin-down'
  | 'vlan-tagged'
  | 'multicast-source'
  | 'mac-spoof'
  | 'ethertype'
  | 'arp-spoof'
  | 'nd-spoof'
  | 'ra'
  | 'redirect'
  | 'mld-query'
  | 'igmp-query'
  /** What only routers say to each other or to switches: renumbering, RPL, multicast router discovery. */
  | 'router-message'
  | 'ip-spoof'
  | 'dhcp-server'
  /** Held back until the controller has judged the link-local address that is being claimed. */
  | 'dad-pending'
  | 'ct-invalid'
  | 'egress-rules'
  | 'unknown-destination'
  | 'foreign-destination'
  | 'ingress-rules';

export type Outcome =
  | { readonly outcome: 'passed' }
  | { readonly outcome: 'dropped'; readonly reason: DropReason };

/** The switch's own answer to an ARP request or a neighbour solicitation, sent to the asking port alone. */
export interface Reply {
  readonly kind: 'arp' | 'nd';
  readonly address: Cidr;
  readonly mac: Mac;
}

export interface Verdict {
  /** Whether the frame left the sender's side: a frame that no receiver accepts has still passed. */
  readonly sender: Outcome;
  /** Every local port that the frame was taken to. */
  readonly receivers: ReadonlyMap<PortId, Outcome>;
  /** When set, the switch answered and took the frame to nobody. */
  readonly reply: Reply | null;
  readonly tracker: Tracker;
}

export const passed: Outcome = { outcome: 'passed' };
export const dropped = (reason: DropReason): Outcome => ({ outcome: 'dropped', reason });
