/**
 * The datapath's work on packets, read from its megaflows: how often each kind was hit between two moments,
 * and how many of its actions use connection tracking.
 */
import type { Switch } from '../test/lib/switch.ts';

export interface Megaflow {
  readonly inPort: string;
  readonly recirculated: boolean;
  readonly packets: number;
  readonly ctActions: number;
}

/** By the datapath's own identity of the megaflow. */
export type Megaflows = ReadonlyMap<string, Megaflow>;

/** IPv4 TCP flows of the given ports. */
export async function tcpMegaflows(at: Switch, ports: readonly string[]): Promise<Megaflows> {
  const text = await at.appctl('dpctl/dump-flows', '-m', '--names');
  const flows = new Map<string, Megaflow>();
  for (const line of text.split('\n')) {
    const ufid = /ufid:([0-9a-f-]+)/.exec(line)?.[1];
    const inPort = /in_port\(([^)]+)\)/.exec(line)?.[1];
    if (ufid === undefined || inPort === undefined || !ports.includes(inPort)) continue;
    if (!line.includes('eth_type(0x0800)') || /proto=(?!6\b)\d+(?!\/0\b)/.test(line)) continue;
    flows.set(ufid, {
      inPort,
      recirculated: !/recirc_id\((?:0|0x0)\)/.test(line),
      packets: Number(/packets:(\d+)/.exec(line)?.[1] ?? 0),
      ctActions: (/actions:(.*)$/.exec(line)?.[1] ?? '').match(/\bct\(|\bct\b(?=,|$)/g)?.length ?? 0,
    });
  }
  return flows;
}

export interface Passes {
  /** Packets that arrived. */
  readonly packets: number;
  readonly ctPerPacket: number;
  readonly recirculationsPerPacket: number;
}

/** What happened between two readings, over all ports read. */
export function passesBetween(before: Megaflows, after: Megaflows): Passes {
  let packets = 0;
  let ct = 0;
  let recirculations = 0;
  for (const [ufid, flow] of after) {
    const hits = flow.packets - (before.get(ufid)?.packets ?? 0);
    if (flow.recirculated) recirculations += hits;
    else packets += hits;
    ct += hits * flow.ctActions;
  }
  return { packets, ctPerPacket: ct / packets, recirculationsPerPacket: recirculations / packets };
}
