/**
 * Answers `/v1/explain`: walks a packet through the facts that the installed flows follow from, with the connections
 * that the switch has now. Changes nothing on the switch.
 */
import type { ExplainedConnection, ExplainedStep, Explanation } from '../../model/explanation.ts';
import { type Cidr, formatIp } from '../../net/cidr.ts';
import type { Mac } from '../../net/mac.ts';
import { parseFrame } from '../../net/packet/frame.ts';
import { type ConntrackEntry, parseConntrack } from '../../ovsdb/index.ts';
import type { Pipeline } from '../../pipeline/flow-derivation.ts';
import { isArriving } from '../../pipeline/local-port.ts';
import { keysOf } from '../../pipeline/record.ts';
import { worldOf } from '../../pipeline/world-of.ts';
import {
  type ConnectionRecord,
  connectionKey,
  lookUpConnection,
  type Tracker,
} from '../../policy/conntrack.ts';
import { refusalOf, suggest } from '../../policy/suggestion.ts';
import type { Step } from '../../policy/verdict.ts';
import { type Walk, walk } from '../../policy/walk.ts';
import type { NetworkId, Port, PortId, World } from '../../policy/world.ts';
import { ownersIn } from '../connections/judging.ts';
import { changesOf } from './explained-changes.ts';

export interface ExplainOptions {
  readonly pipeline: Pipeline;
  readonly host: string;
  /** The switch's live connections of one zone; null when it cannot be asked. */
  readonly connections: (zone: number) => Promise<string> | null;
}

/** A packet that a port sends. */
export interface ExplainedPacket {
  readonly port: PortId;
  readonly frame: Buffer;
  /** The port's host, when the packet has left it and this host is to judge what arrives. */
  readonly from?: string;
}

/** Null when the port is not plugged into this host; of an arrival, when it is, or when this host does not know it. */
export async function explainPacket(
  { pipeline, host, connections }: ExplainOptions,
  { port, frame, from }: ExplainedPacket,
): Promise<Explanation | null> {
  const { facts } = pipeline;
  const known = facts.ports.get(port);
  const isPlugged = (id: PortId): boolean => {
    const local = pipeline.relations.locals.get(id);
    return local !== undefined ? !isArriving(local) : facts.ofports.get(id) !== undefined;
  };
  const isHere = isPlugged(port);
  if (known === undefined || isHere !== (from === undefined)) return null;
  const zone = facts.zones.get(known.network);
  const dump = zone === undefined ? '' : await connections(zone);
  const world = asPlugged(worldOf(facts, host), host, isPlugged);
  const tracker = trackerOf(pipeline, world, known.network, zone, dump ?? '');
  const where = { host, port, onlyHere: true, ...(from === undefined ? {} : { from }) };
  const trackers = new Map([[host, tracker]]);
  const walked = walk(world, where, trackers, [frame]);
  const changes = suggest(world, where, trackers, [frame]);
  return {
    result: resultOf(walked),
    steps: walked.steps.map(stepOf),
    receivers: [...walked.receivers].map(([id, got]) => ({
      port: id,
      result: got.outcome === 'passed' ? 'pass' : 'drop',
      reason: got.outcome === 'passed' ? null : got.reason,
    })),
    connection: connectionOf(tracker, known.network, frame),
    connections_read: dump !== null,
    hosts_answered: true,
    changes: changes && changesOf(world, changes),
  };
}

/** The world with the ports that the switch has: records hear of a port that was plugged or unplugged later. */
function asPlugged(world: World, host: string, isPlugged: (port: PortId) => boolean): World {
  const hostOf = (port: Port): string | null =>
    isPlugged(port.id) ? host : port.host === host ? null : port.host;
  return {
    ...world,
    ports: new Map([...world.ports].map(([id, port]) => [id, { ...port, host: hostOf(port) }])),
  };
}

function resultOf(walked: Walk): Explanation['result'] {
  if (refusalOf(walked) !== null) return 'dropped';
  return walked.reply === null ? 'delivered' : 'answered';
}

/**
 * The switch's connections of a network as the evaluator has them. The datapath does not say of all of them whether an
 * answer was seen. Each is taken as answered: of one that is not, rules would be asked again and admit the same.
 */
function trackerOf(
  pipeline: Pipeline,
  world: World,
  network: NetworkId,
  zone: number | undefined,
  dump: string,
): Tracker {
  if (zone === undefined) return new Map();
  // The walk needs names alone, so a port that is not followed is as good as one that is gone.
  const ownerOf = ownersIn({ pipeline, follows: () => true }, world, network);
  const nameOf = (key: number): PortId => ownerOf(key) ?? (`unknown-${key}` as PortId);
  const record = (entry: ConntrackEntry): ConnectionRecord => {
    const { originators, responders } = keysOf(entry);
    return { originators: originators.map(nameOf), receivers: responders.map(nameOf), replied: true };
  };
  return new Map(
    parseConntrack(dump, new Set([zone])).entries.map((entry) => {
      const { src, dst, layer4 } = entry.original;
      return [connectionKey(network, { protocol: entry.protocol, src, dst }, layer4), record(entry)];
    }),
  );
}

function connectionOf(tracker: Tracker, network: NetworkId, frame: Buffer): ExplainedConnection | null {
  const ip = parseFrame(frame)?.ip ?? null;
  if (ip === null) return null;
  const { lookup } = lookUpConnection(tracker, network, ip);
  if (lookup.state !== 'known') return null;
  const { originators, receivers } = lookup.connection;
  const named = (slots: readonly (PortId | null)[]) => slots.filter((id) => id !== null);
  return { originators: named(originators), responders: named(receivers) };
}

const textOf = (address: Cidr | Mac | null): string | null =>
  address === null || typeof address === 'string' ? address : formatIp(address.family, address.bits);

const stepOf = ({ address, ...step }: Step): ExplainedStep => ({ ...step, address: textOf(address) });
