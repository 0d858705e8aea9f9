/**
 * What the evaluator answers: the steps of a packet's walk with their reasons, and the verdicts.
 */
import type { Cidr } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import type { Tracker } from './conntrack.ts';
import type { DropReason } from './drop-reasons.ts';
import type { PortId, RuleId } from './world.ts';

/** Why a stage of the walk lets a packet go on, and what that means. docs/operations.md has the same table. */
export const stepReasons = {
  'port-security-off': 'port security is off: nothing is checked here',
  'fixed-ip': 'the source is a fixed IP of the port',
  'address-pair': 'the source is in an allowed address pair of the port',
  'link-local': 'the source is a link-local address of the port',
  'own-mac': '`port_security_mode` is `mac-only`: only MACs are checked',
  arp: 'ARP from an address of the port; it needs no rule',
  rarp: 'RARP that names only the MAC, as hypervisors send it; it needs no rule',
  'neighbour-discovery': 'neighbour discovery about an address of the port; it needs no rule',
  'listener-report': 'a multicast listener report; it needs no rule',
  'dhcp-client': 'a question of a DHCP client; it needs no rule',
  'own-address': 'the destination is an address of the receiver',
  multicast: 'the destination is a multicast or broadcast address',
  'address-resolution': 'ARP, neighbour discovery or a DHCP answer: every port hears it',
  stateless: 'the port needs no connections: rules judge each packet',
  'new-connection': 'the switch knows no connection of it: rules judge',
  unanswered: 'nobody has answered yet: rules judge again',
  'not-on-record': 'the connection is one of other ports: rules judge',
  established: 'the connection is one of this port: rules are not asked',
  related: 'an ICMP error about a connection of this port',
  rule: 'a security-group rule admits it',
  'dhcp-answered': 'the host answers the DHCP request for the port',
  'solicitation-answered': 'the host answers the router solicitation for the network',
  'to-dhcp-server': 'the DHCP request goes to the DHCP port of the isolated network alone',
  answered: 'the switch knows the address and answers',
  'known-destination': 'ports have the destination MAC',
  flooded: 'the destination MAC is multicast or broadcast: every port of the network gets a copy',
  router: 'the destination MAC is that of a router, which this host has',
  routed: 'a route of the router leads on, by this port of the router',
  'router-answer': 'the router answers an echo request',
  'router-error': 'the router tells the sender by ICMP why the packet ended',
  'remote-host': 'the packet came through a tunnel',
  'physical-network': 'no port of this host has the destination MAC: the packet goes to the physical network',
  'from-physical-network': 'the packet came from a physical network',
  'sent-to-physical-network': 'the packet left for the physical network',
  'sent-to-host': "the packet left for the receiver's host, which judges it by the receiver's rules",
  recorded: 'the connection record now names the port',
  delivered: 'the port gets the packet',
} as const;

export type StepReason = keyof typeof stepReasons;

/** The stages of a walk, in the order of a packet, and what each looks at. */
export const stages = {
  port: 'whether the port and its network are up, and the port is on this host',
  'egress-guard': 'what the sender may claim to be',
  'egress-connection': "the packet's connection, at the sender",
  'egress-rules': "the rules of the sender's security groups",
  responder: 'whether the switch answers by itself',
  destination: 'which ports have the destination MAC',
  routing: 'where a router sends the packet',
  tunnel: 'how the packet came to another host',
  physical: 'how the packet came from a physical network',
  isolation: 'what the roles of the ports of an isolated network permit',
  'ingress-guard': 'what the receiver may hear',
  'ingress-connection': "the packet's connection, at the receiver",
  'ingress-rules': "the rules of the receiver's security groups",
  'connection-record': 'what the switch remembers of the connection',
  output: 'the way out',
} as const;

export type Stage = keyof typeof stages;

interface StepFacts {
  readonly host: string;
  /** The port whose policy decided; of `destination`, `tunnel` and the way to a physical network the sender. */
  readonly port: PortId;
  readonly stage: Stage;
  /** The rule that admitted the packet. */
  readonly rule: RuleId | null;
  /** The address of the packet that the decision was about. */
  readonly address: Cidr | Mac | null;
  /** Of `isolation`: the roles that forbid it. */
  readonly roles?: string;
}

/** One decision on a packet's way. */
export type Step = StepFacts &
  (
    | { readonly result: 'pass'; readonly reason: StepReason }
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
