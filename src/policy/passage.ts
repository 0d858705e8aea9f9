/**
 * What a packet has gathered on one host: its connection, whom the connection record lacks, and its steps so far.
 */
import type { Cidr } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import type { Ip } from '../net/packet/frame.ts';
import { type ConntrackLookup, lookUpConnection, type Newcomers, type Tracker } from './conntrack.ts';
import type { DropReason } from './drop-reasons.ts';
import type { Stage, Step, StepReason } from './verdict.ts';
import type { NetworkId, PortId, Router, RuleId } from './world.ts';

export interface Passage {
  readonly host: string;
  readonly network: NetworkId;
  /** Shared by all copies of the packet, on all hosts. */
  readonly steps: Step[];
  tracker: Tracker;
  /** The router that the packet is for, and for receivers the one that it comes from. */
  via: Router | null;
  /** Null until a port needed it. */
  lookup: ConntrackLookup | null;
  /**
   * Whether rules may ask for ports and ICMP types. Not of a datagram in pieces that goes to several ports: its later
   * pieces cannot wait for the verdict on the first, as the pieces of a connection of two ports do.
   */
  detailed: boolean;
  /** Which sides let the packet on without being on its connection record. */
  newcomers: Newcomers;
}

/** A packet is looked up once a host, when the first port needs it. */
export function track(passage: Passage, ip: Ip): ConntrackLookup {
  if (passage.lookup !== null) return passage.lookup;
  const { lookup, tracker } = lookUpConnection(passage.tracker, passage.network, ip);
  passage.lookup = lookup;
  passage.tracker = tracker;
  return lookup;
}

/** Where steps are taken down. */
export type Steps = Pick<Passage, 'host' | 'steps'>;

/** What a step is about, beside its reason. */
interface About {
  readonly rule?: RuleId;
  readonly address?: Cidr | Mac | null;
}

export function pass(
  { host, steps }: Steps,
  port: PortId,
  stage: Stage,
  reason: StepReason,
  { rule, address = null }: About = {},
): void {
  steps.push({ host, port, stage, result: 'pass', reason, rule: rule ?? null, address });
}

/** Gives the reason back. */
export function drop(
  { host, steps }: Steps,
  port: PortId,
  stage: Stage,
  reason: DropReason,
  address: Cidr | Mac | null = null,
  roles?: string,
): DropReason {
  const why = roles === undefined ? {} : { roles };
  steps.push({ host, port, stage, result: 'drop', reason, rule: null, address, ...why });
  return reason;
}
