/**
 * Connections of a generated world as the evaluator alone knows them: which there may be, and which stand. No switch and no
 * flows: the truth that the flows' difference is held against.
 */
import { type Cidr, cidr, isHost, linkLocalOf } from '../../src/net/cidr.ts';
import { type ConnectionOfPorts, type ConnectionTuple, stands } from '../../src/policy/standing.ts';
import type { NetworkId, Port, PortId, World } from '../../src/policy/world.ts';
import { ip } from '../lib/frames.ts';
import { host } from './worlds.ts';

type Detail = ConnectionTuple['detail'];
interface Talk {
  readonly protocol: number;
  readonly detail: Detail;
}

const ports = (protocol: number, dst: number): Talk => ({
  protocol,
  detail: { kind: 'ports', src: 30_000, dst },
});
const talks = {
  any: [ports(17, 2000), ports(17, 67), ports(17, 68), ports(6, 22), ports(6, 80), ports(132, 443)],
  4: [
    { protocol: 1, detail: { kind: 'icmp', type: 8, code: 0 } },
    { protocol: 112, detail: null },
  ],
  6: [
    { protocol: 58, detail: { kind: 'icmp', type: 128, code: 0 } },
    { protocol: 47, detail: null },
  ],
} as const satisfies Record<string, readonly Talk[]>;

const strangers = [
  ip('192.0.2.9'),
  ip('10.0.0.200'),
  ip('10.0.0.135'),
  ip('2001:db8::99'),
  ip('2001:db8:1::9'),
];

/** Addresses that a port may use: those it names, and one or two of each prefix. */
function addressesOf(world: World, port: Port): Cidr[] {
  const prefixes = port.pairs.map(({ ip: prefix }) => prefix).filter((prefix) => !isHost(prefix));
  const inside = prefixes.flatMap(({ family, bits }) => [cidr(family, bits + 77n), cidr(family, bits + 11n)]);
  const named = port.pairs.map(({ ip: address }) => address).filter(isHost);
  const learnt = world.linkLocals.filter((item) => item.port === port.id).map(({ address }) => address);
  return [...port.fixedIps, ...named, ...inside, linkLocalOf(port.mac), ...learnt];
}

const isHere = (port: Port): boolean => port.host === host;

/** Packets from it come through a tunnel, so records name it. */
const isTunnelled = ({ vteps }: World, port: Port): boolean =>
  !isHere(port) && port.host !== null && vteps.has(host) && vteps.has(port.host);

/** Some connections that ports of this host could have admitted: every `stride`-th from `first` on. */
export function* candidates(world: World, first: number, stride: number): Generator<ConnectionOfPorts> {
  let at = first;
  const isLocal = (id: PortId | null): boolean => {
    const port = id === null ? undefined : world.ports.get(id);
    return port !== undefined && isHere(port);
  };
  for (const network of world.networks.keys()) {
    const all = [...world.ports.values()].filter((port) => port.network === network);
    const far = all.filter((port) => !isHere(port)).flatMap((port) => addressesOf(world, port).slice(0, 1));
    const ends: readonly (readonly [PortId | null, readonly Cidr[]])[] = [
      ...all
        .filter((port) => isHere(port) || isTunnelled(world, port))
        .map((port) => [port.id, addressesOf(world, port)] as const),
      [null, [...strangers, ...far.slice(0, 6)]],
    ];
    for (const [originator, sources] of ends)
      for (const [responder, targets] of ends) {
        // One side at least is here.
        if (originator === responder || [originator, responder].every((id) => !isLocal(id))) continue;
        for (const src of sources)
          for (const dst of targets) {
            if (src.family !== dst.family) continue;
            for (const talk of [...talks.any, ...talks[src.family]])
              if (at++ % stride === 0) yield { network, src, dst, originator, responder, ...talk };
          }
      }
  }
}

/** Those that the world admits. */
export const admitted = (world: World, first: number, stride: number): ConnectionOfPorts[] =>
  [...candidates(world, first, stride)].filter((connection) => stands(world, connection));

/** Whether a connection has fallen by what ports of this host ask, or its network. */
export function hasFallen(world: World, connection: ConnectionOfPorts): boolean {
  const here = (id: PortId | null): PortId | null => {
    const port = id === null ? undefined : world.ports.get(id);
    return id !== null && port !== undefined && !isHere(port) ? null : id;
  };
  const { originator, responder } = connection;
  return !stands(world, { ...connection, originator: here(originator), responder: here(responder) });
}

export const isAwayIn = (world: World, id: PortId | null): id is PortId => {
  const port = id === null ? undefined : world.ports.get(id);
  return port !== undefined && !isHere(port);
};
export const networksOf = (connections: Iterable<ConnectionOfPorts>): Set<NetworkId> =>
  new Set([...connections].map(({ network }) => network));
