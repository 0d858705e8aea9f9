/**
 * What the evaluator answers: the reasons to drop a packet and to pass it, the steps of its walk, and the verdicts.
 */
import type { Cidr } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import type { Tracker } from './conntrack.ts';
import type { PortId, RuleId } from './world.ts';

/** Stable names: `portcullis counters` shows the same. docs/operations.md says what each means. */
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
  /** The packet waits until the agent has judged the link-local address that it claims. */
  | 'dad-pending'
  | 'ct-invalid'
  | 'egress-rules'
  | 'unknown-destination'
  | 'foreign-destination'
  | 'ingress-rules';

/** Why a stage lets a packet go on. Stable names, like those of drops. */
export type PassReason =
  | 'port-security-off'
  /** The source is a fixed IP of the port, in an allowed address pair, or a link-local address of the port. */
  | 'fixed-ip'
  | 'address-pair'
  | 'link-local'
  /** The port is held to its MACs only. */
  | 'own-mac'
  /** Packets that need neither a connection nor a rule of the sender. */
  | 'arp'
  | 'rarp'
  | 'neighbour-discovery'
  | 'listener-report'
  | 'dhcp-client'
  /** The destination is an address of the receiver, or a multicast or broadcast address. */
  | 'own-address'
  | 'multicast'
  /** Packets that a receiver gets whatever its rules say: without them it finds no address. */
  | 'address-resolution'
  /** The port's groups need no connections: rules judge each packet. */
  | 'stateless'
  | 'new-connection'
  /** A known connection that has no answer yet, or that does not name the port: rules still judge. */
  | 'unanswered'
  | 'not-on-record'
  /** A known connection that names the port: rules are not asked. */
  | 'established'
  /** An ICMP error about a known connection. */
  | 'related'
  | 'rule'
  /** The switch answered by itself. */
  | 'answered'
  | 'known-destination'
  | 'flooded'
  | 'remote-host'
  /** The connection record now names the ports that admitted the packet. */
  | 'recorded'
  | 'delivered';

/** The stages of a walk, in the order of a packet. */
export type Stage =
  | 'port'
  | 'egress-guard'
  | 'egress-connection'
  | 'egress-rules'
  | 'responder'
  | 'destination'
  | 'tunnel'
  | 'ingress-guard'
  | 'ingress-connection'
  | 'ingress-rules'
  | 'connection-record'
  | 'output';

interface StepFacts {
  readonly host: string;
  /** The port whose policy decided; of `destination` and `tunnel` the sender. */
  readonly port: PortId;
  readonly stage: Stage;
  /** The rule that admitted the packet. */
  readonly rule: RuleId | null;
  /** The address of the packet that the decision was about. */
  readonly address: Cidr | Mac | null;
}

/** One decision on a packet's way. */
export type Step = StepFacts &
  (
    | { readonly result: 'pass'; readonly reason: PassReason }
    | { readonly result: 'drop'; readonly reason: DropReason }
  );

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
  /** Every port that the frame was taken to. */
  readonly receivers: ReadonlyMap<PortId, Outcome>;
  /** When set, the switch answered and took the frame to nobody. */
  readonly reply: Reply | null;
  readonly tracker: Tracker;
}

export const passed: Outcome = { outcome: 'passed' };
export const dropped = (reason: DropReason): Outcome => ({ outcome: 'dropped', reason });
