/**
 * The smallest change that would let a dropped packet pass: a rule, an address pair, a setting of a port.
 *
 * Idea: each reason to drop has few remedies. They are tried in the order of how much they open; a remedy counts
 * when the walk in the changed world no longer ends at that drop. What is suggested has been walked to its end.
 */
import type { PortRole } from '../model/records.ts';
import { type Cidr, isHost } from '../net/cidr.ts';
import type { Mac } from '../net/mac.ts';
import { type Frame, type Ip, parseFrame } from '../net/packet/frame.ts';
import { parseNeighbour } from '../net/packet/icmpv6.ts';
import { protocols } from '../net/packet/transport.ts';
import { identityOf, sameIp, unspecified4, unspecified6 } from './identity.ts';
import type { Step } from './verdict.ts';
import { type Pieces, type Trackers, type Walk, type Where, walk } from './walk.ts';
import type {
  Direction,
  GroupId,
  L4Match,
  Network,
  NetworkId,
  Pair,
  Port,
  PortId,
  Remote,
  Rule,
  RuleId,
  World,
} from './world.ts';
import { portsOf } from './world-index.ts';

export type PolicyChange =
  /** A rule more; in a new group of the port where `group` is null, because the port has none. */
  | {
      readonly kind: 'rule';
      readonly port: PortId;
      readonly group: GroupId | null;
      readonly rule: Pick<Rule, 'direction' | 'family' | 'l4' | 'remote'>;
    }
  /** An allowed address pair more. */
  | { readonly kind: 'pair'; readonly port: PortId; readonly pair: Pair }
  /** The port may act as a DHCP server and a router (`dhcp_trusted`). */
  | { readonly kind: 'dhcp-server'; readonly port: PortId }
  /** Another port-security mode; `off` takes groups and pairs away with it. */
  | { readonly kind: 'mode'; readonly port: PortId; readonly mode: 'mac-only' | 'off' }
  | { readonly kind: 'port-up'; readonly port: PortId }
  /** Another role in its isolated network. */
  | { readonly kind: 'role'; readonly port: PortId; readonly role: PortRole }
  | { readonly kind: 'not-isolated'; readonly network: NetworkId }
  | { readonly kind: 'network-up'; readonly network: NetworkId };

type Refusal = Extract<Step, { readonly result: 'drop' }>;

/** Most packets need at most one change for an address and one for rules, on each side. */
const maxChanges = 6;
const maxWalks = 40;

/** The group to put a rule into: of a port's groups the one that the fewest ports have. */
function groupFor(world: World, port: Port): GroupId | null {
  let best: { readonly group: GroupId; readonly size: number } | null = null;
  for (const group of port.groups) {
    const size = portsOf(world, port.network).filter(({ groups }) => groups.includes(group)).length;
    if (best === null || size < best.size) best = { group, size };
  }
  return best?.group ?? null;
}

/** What a rule can say of a packet's layer above IP, the narrowest first. */
function l4MatchesFor({ protocol, upper }: Ip): L4Match[] {
  const wide: L4Match = { kind: 'protocol', protocol };
  if (upper?.kind === 'segment')
    return [{ kind: 'ports', protocol, min: upper.dstPort, max: upper.dstPort }, wide];
  if (upper?.kind === 'icmp' && (protocol === protocols.icmp || protocol === protocols.icmpv6))
    return [{ kind: 'icmp', protocol, type: upper.type, code: upper.code }, wide];
  return [wide];
}

function ruleChanges(world: World, port: Port, direction: Direction, ip: Ip): PolicyChange[] {
  const peer = direction === 'egress' ? ip.dst : ip.src;
  const remote: Remote = { kind: 'prefix', prefix: peer };
  const group = groupFor(world, port);
  return l4MatchesFor(ip).map((l4) => ({
    kind: 'rule',
    port: port.id,
    group,
    rule: { direction, family: ip.family, l4, remote },
  }));
}

const isAddress = (address: Cidr | Mac | null | undefined): address is Cidr =>
  typeof address === 'object' &&
  address !== null &&
  isHost(address) &&
  !sameIp(address, unspecified4) &&
  !sameIp(address, unspecified6);

/** The addresses that a frame speaks for, each once. */
function claims({ arp, ip }: Frame): Cidr[] {
  const target = ip?.upper?.kind === 'icmp' ? parseNeighbour(ip.upper)?.target : undefined;
  const named = [ip?.src, target, arp?.spa, arp?.tpa].filter(isAddress);
  return named.filter((address, at) => named.findIndex((other) => sameIp(other, address)) === at);
}

const pairs = (port: Port, mac: Mac, addresses: readonly Cidr[]): PolicyChange[] =>
  addresses.map((ip) => ({ kind: 'pair', port: port.id, pair: { mac, ip } }));

/** What could undo one drop, the change that opens least first. */
function remedies(world: World, sender: PortId, refusal: Refusal, frame: Frame): PolicyChange[] {
  const port = world.ports.get(refusal.port);
  if (port === undefined) return [];
  const mode = (to: 'mac-only' | 'off'): PolicyChange => ({ kind: 'mode', port: port.id, mode: to });
  const { ip, ethernet } = frame;
  switch (refusal.reason) {
    case 'admin-down': {
      const network = world.networks.get(port.network);
      return [
        ...(port.adminUp ? [] : [{ kind: 'port-up', port: port.id } as const]),
        ...(network?.adminUp === false ? [{ kind: 'network-up', network: port.network } as const] : []),
      ];
    }
    case 'egress-rules':
    case 'ingress-rules':
      return ip === null ? [] : ruleChanges(world, port, directionOf(refusal), ip);
    case 'mac-spoof':
      return [...pairs(port, ethernet.src, claims(frame)), mode('off')];
    case 'ip-spoof':
    case 'arp-spoof':
    case 'nd-spoof':
    case 'dad-pending':
      return [...pairs(port, ethernet.src, claims(frame)), mode('mac-only'), mode('off')];
    case 'foreign-destination':
      return [
        ...pairs(port, port.mac, ip !== null && isAddress(ip.dst) ? [ip.dst] : []),
        mode('mac-only'),
        mode('off'),
      ];
    case 'ra':
    case 'dhcp-server':
      return [{ kind: 'dhcp-server', port: port.id }, mode('off')];
    case 'isolated':
      return roleChanges(world, sender, port);
    case 'unknown-destination':
      return [
        ...portsOf(world, port.network)
          .filter((one) => !one.adminUp && identityOf(world, one).macs.has(ethernet.dst))
          .map(({ id }): PolicyChange => ({ kind: 'port-up', port: id })),
        // There a DHCP request goes to a server that this host may not reach.
        ...(world.networks.get(port.network)?.isolated === true
          ? [{ kind: 'not-isolated', network: port.network } as const]
          : []),
      ];
    default:
      return [mode('off')];
  }
}

/** A community opens one port to another; a promiscuous port is open to the whole network. */
function roleChanges({ ports }: World, sender: PortId, receiver: Port): PolicyChange[] {
  const both = [receiver, ports.get(sender)].filter((port) => port !== undefined);
  const [one, other] = both;
  const joins = (port: Port | undefined, role: PortRole | undefined): PolicyChange[] =>
    port === undefined || role?.kind !== 'community' ? [] : [{ kind: 'role', port: port.id, role }];
  return [
    ...joins(one, other?.role),
    ...joins(other, one?.role),
    ...both.map(({ id }): PolicyChange => ({ kind: 'role', port: id, role: { kind: 'promiscuous' } })),
    { kind: 'not-isolated', network: receiver.network },
  ];
}

const directionOf = ({ reason }: Refusal): Direction => (reason === 'egress-rules' ? 'egress' : 'ingress');

function withPort(world: World, id: PortId, over: Partial<Port>): World {
  const port = world.ports.get(id);
  return port === undefined ? world : { ...world, ports: new Map(world.ports).set(id, { ...port, ...over }) };
}

function withNetwork(world: World, id: NetworkId, over: Partial<Network>): World {
  const network = world.networks.get(id);
  if (network === undefined) return world;
  return { ...world, networks: new Map(world.networks).set(id, { ...network, ...over }) };
}

/** The world after a change. */
export function changed(world: World, change: PolicyChange): World {
  switch (change.kind) {
    case 'rule': {
      const group = change.group ?? (`new group of ${change.port}` as GroupId);
      const id = `new rule ${world.rules.size}` as RuleId;
      const rules = new Map(world.rules).set(id, { ...change.rule, id, group });
      return change.group === null
        ? { ...withPort(world, change.port, { groups: [group] }), rules }
        : { ...world, rules };
    }
    case 'pair': {
      const before = world.ports.get(change.port)?.pairs ?? [];
      return withPort(world, change.port, { pairs: [...before, change.pair] });
    }
    case 'dhcp-server':
      return withPort(world, change.port, { dhcpServer: true });
    case 'mode':
      return withPort(
        world,
        change.port,
        change.mode === 'off' ? { mode: 'off', groups: [], pairs: [] } : { mode: change.mode },
      );
    case 'port-up':
      return withPort(world, change.port, { adminUp: true });
    case 'role':
      return withPort(world, change.port, { role: change.role });
    case 'not-isolated':
      return withNetwork(world, change.network, { isolated: false });
    case 'network-up':
      return withNetwork(world, change.network, { adminUp: true });
  }
}

/** The drop that kept a packet from everybody; null when somebody got it, or nobody wanted it. */
export function refusalOf({ steps, sender, receivers, reply, physical }: Walk): Refusal | null {
  const outcomes = [...receivers.values(), ...(physical === null ? [] : [physical])];
  const lost = outcomes.length > 0 && outcomes.every(({ outcome }) => outcome === 'dropped');
  if (sender.outcome === 'passed' && (reply !== null || !lost)) return null;
  return steps.find((step) => step.result === 'drop') ?? null;
}

const sameRefusal = (a: Refusal, b: Refusal): boolean =>
  a.port === b.port && a.stage === b.stage && a.reason === b.reason;

/** Copying a world of one network is cheap; the others have no part in the walk. */
function worldOfNetwork(world: World, network: NetworkId): World {
  return {
    ...world,
    ports: new Map(portsOf(world, network).map((port) => [port.id, port])),
    subnets: new Map([...world.subnets].filter(([, subnet]) => subnet.network === network)),
    linkLocals: world.linkLocals.filter((item) => item.network === network),
  };
}

/**
 * The changes, all of them together, that would let a dropped packet reach a receiver; null when none is known, and
 * none at all when it reaches one already.
 */
export function suggest(
  world: World,
  where: Where,
  trackers: Trackers,
  pieces: Pieces,
): readonly PolicyChange[] | null {
  const port = world.ports.get(where.port);
  const frame = parseFrame(pieces[0]);
  if (port === undefined || frame === null) return null;
  let walks = 0;
  const search = (
    here: World,
    at: Refusal | null,
    changes: readonly PolicyChange[],
  ): readonly PolicyChange[] | null => {
    if (at === null) return changes;
    if (changes.length === maxChanges) return null;
    for (const remedy of remedies(here, port.id, at, frame)) {
      if (++walks > maxWalks) return null;
      const next = changed(here, remedy);
      const refusal = refusalOf(walk(next, where, trackers, pieces));
      // A port and its network may both be down: either change is a part of the remedy.
      if (refusal !== null && sameRefusal(refusal, at) && at.reason !== 'admin-down') continue;
      const found = search(next, refusal, [...changes, remedy]);
      if (found !== null) return found;
    }
    return null;
  };
  const start = worldOfNetwork(world, port.network);
  const refusalIn = (here: World): Refusal | null => refusalOf(walk(here, where, trackers, pieces));
  const found = search(start, refusalIn(start), []);
  return found && withoutNeedless(found, (changes) => refusalIn(changes.reduce(changed, start)) === null);
}

/** A later change may make an earlier one needless: a port without port security needs no pair. */
function withoutNeedless(
  changes: readonly PolicyChange[],
  suffice: (changes: readonly PolicyChange[]) => boolean,
): readonly PolicyChange[] {
  let needed = changes;
  for (const change of changes) {
    const others = needed.filter((other) => other !== change);
    if (suffice(others)) needed = others;
  }
  return needed;
}
