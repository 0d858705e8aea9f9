/** What an agent is started with, and what it says about itself to the metrics page. */
import type { Logger } from 'pino';
import type { BridgeMappings } from '../model/bridge-mappings.ts';
import type { Vtep } from '../model/vtep.ts';
import type { Store } from '../store/contract.ts';
import type { DhcpSettings } from './punts/dhcp4-configuration.ts';
import type { DriftCounts } from './switch/drift.ts';

export interface AgentOptions {
  readonly store: Store;
  readonly log: Logger;
  /** This hypervisor's name, unique in the cloud. */
  readonly host: string;
  /** `unix:PATH` or `tcp:HOST:PORT`. */
  readonly ovsdb: string;
  readonly openflow: string;
  /** Directory of ovs-vswitchd's control socket; null when the switch is on another machine. */
  readonly rundir: string | null;
  readonly bridge: string;
  /** Datapath of a bridge that the agent has to make: `netdev` or `system`. */
  readonly datapathType: string;
  /** Max connections of one network on this host; any number when left out. */
  readonly maxPerNetwork?: number;
  /** This host's availability zone; `nova` when left out. */
  readonly availabilityZone?: string;
  /** This host's tunnel endpoint; without one it has no tunnels. */
  readonly vtep?: Vtep;
  /** The bridges to physical networks; none when left out. */
  readonly bridgeMappings?: BridgeMappings;
  /** Of the built-in DHCP server; the defaults of the settings when left out. */
  readonly dhcp?: DhcpSettings;
  /** Of Portcullis, for people. */
  readonly version?: string;
  /** Milliseconds between two looks at the hit counts of rules; 15 seconds when left out. */
  readonly hitsInterval?: number;
  /** Milliseconds between two looks for what others changed on the switch; 5 seconds when left out. */
  readonly lookInterval?: number;
  /** Milliseconds for which what no port needs any more is still followed; a minute when left out. */
  readonly lingerTime?: number;
}

export interface AgentStatus {
  readonly installedFlows: number;
  readonly localPorts: number;
  readonly rounds: number;
  readonly flowsChanged: number;
  readonly failures: number;
  /** Connections that were cut because rules no longer allow them, and the seconds that this took. */
  readonly connectionsCut: number;
  readonly cuttingSeconds: number;
  /** What others changed on the switch, by kind. */
  readonly drift: DriftCounts;
}
