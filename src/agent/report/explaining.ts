/**
 * Answers `/v1/explain`: walks a packet through the facts that the installed flows follow from, with the connections
 * that the switch has now. Changes nothing on the switch.
 */
import type {
  ExplainedChange,
  ExplainedConnection,
  ExplainedStep,
  Explanation,
} from '../../model/explanation.ts';
import { protocolName } from '../../model/protocols.ts';
import { type Cidr, formatCidr, formatIp } from '../../net/cidr.ts';
import type { Mac } from '../../net/mac.ts';
import { parseFrame } from '../../net/packet/frame.ts';
import { type ConntrackEntry, parseConntrack } from '../../ovsdb/index.ts';
import type { Pipeline } from '../../pipeline/pipeline.ts';
import { keysOf } from '../../pipeline/record.ts';
import { worldOf } from '../../pipeline/world-of.ts';
import { type ConnectionRecord, connectionKey, lookUp, type Tracker } from '../../policy/conntrack.ts';
import { type Change, changed, refusalOf, suggest } from '../../policy/suggestion.ts';
import type { Step } from '../../policy/verdict.ts';
import { type Walk, walk } from '../../policy/walk.ts';
import type { NetworkId, Port, PortId, Rule, Service, World } from '../../policy/world.ts';
import { ownersIn } from '../connections/judging.ts';

export interface ExplainOptions {
  readonly pipeline: Pipeline;
  readonly host: string;
  /** The switch's live connections of one zone; null when it cannot be asked. */
  readonly connections: (zone: number) => Promise<string> | null;
}

/** Null when the port is not plugged into this host. */
export async function explain(
  { pipeline, host, connections }: ExplainOptions,
  port: PortId,
  frame: Buffer,
): Promise<Explanation | null> {
  const { facts } = pipeline;
  const known = facts.ports.get(port);
  if (known === undefined || facts.ofports.get(port) === undefined) return null;
  const zone = facts.zones.get(known.network);
  const dump = zone === undefined ? '' : await connections(zone);
  const world = asPlugged(worldOf(facts), host, (id) => facts.ofports.get(id) !== undefined);
  const tracker = trackerOf(pipeline, world, known.network, zone, dump ?? '');
  const where = { host, port };
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
  const ownerOf = ownersIn(pipeline, world, network);
  const record = (entry: ConntrackEntry): ConnectionRecord => {
    const { originators, responders } = keysOf(entry);
    return { originators: originators.map(ownerOf), receivers: responders.map(ownerOf), replied: true };
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
  const { lookup } = lookUp(tracker, network, ip);
  if (lookup.state !== 'known') return null;
  const { originators, receivers } = lookup.connection;
  const named = (slots: readonly (PortId | null)[]) => slots.filter((id) => id !== null);
  return { originators: named(originators), responders: named(receivers) };
}

const textOf = (address: Cidr | Mac | null): string | null =>
  address === null || typeof address === 'string' ? address : formatIp(address.family, address.bits);

const stepOf = ({ address, ...step }: Step): ExplainedStep => ({ ...step, address: textOf(address) });

function layer4Attributes(service: Service): Readonly<Record<string, unknown>> {
  switch (service.kind) {
    case 'any':
      return {};
    case 'protocol':
      return { protocol: protocolName(service.protocol) };
    case 'ports':
      return {
        protocol: protocolName(service.protocol),
        port_range_min: service.min,
        port_range_max: service.max,
      };
    case 'icmp':
      return {
        protocol: protocolName(service.protocol),
        port_range_min: service.type,
        port_range_max: service.code,
      };
  }
}

const remoteAttributes = ({ remote }: Pick<Rule, 'remote'>): Readonly<Record<string, unknown>> =>
  remote.kind === 'prefix' ? { remote_ip_prefix: formatCidr(remote.prefix) } : {};

/** Each change sees the changes before it: a port may get several pairs. */
function changesOf(world: World, changes: readonly Change[]): ExplainedChange[] {
  let at = world;
  return changes.map((change) => {
    const explained = changeOf(at, change);
    at = changed(at, change);
    return explained;
  });
}

/** In the words of the API. */
function changeOf(world: World, change: Change): ExplainedChange {
  switch (change.kind) {
    case 'rule': {
      const { rule, group, port } = change;
      return {
        resource: 'security_group_rule',
        id: null,
        port,
        attributes: {
          security_group_id: group,
          direction: rule.direction,
          ethertype: rule.family === 4 ? 'IPv4' : 'IPv6',
          ...layer4Attributes(rule.service),
          ...remoteAttributes(rule),
        },
      };
    }
    case 'pair': {
      const pairs = [...(world.ports.get(change.port)?.pairs ?? []), change.pair];
      return ofPort(change.port, {
        allowed_address_pairs: pairs.map(({ mac, ip }) => ({
          ip_address: formatCidr(ip),
          mac_address: mac,
        })),
      });
    }
    case 'dhcp-server':
      return ofPort(change.port, { dhcp_trusted: true });
    case 'mode':
      return ofPort(
        change.port,
        change.mode === 'off'
          ? { port_security_enabled: false, security_groups: [], allowed_address_pairs: [] }
          : { port_security_mode: change.mode },
      );
    case 'port-up':
      return ofPort(change.port, { admin_state_up: true });
    case 'network-up':
      return {
        resource: 'network',
        id: change.network,
        port: null,
        attributes: { admin_state_up: true },
      };
  }
}

const ofPort = (port: PortId, attributes: ExplainedChange['attributes']): ExplainedChange => ({
  resource: 'port',
  id: port,
  port,
  attributes,
});
