/** Other hosts, and their ports in networks that this host carries. No flows here. */
import type { Dataflow, Read, Relation } from '../../../base/dataflow.ts';
import type { NetworkKey, PortKey } from '../../../model/numbers.ts';
import { type TunnelType, tunnelsBetween } from '../../../model/vtep.ts';
import { type Cidr, formatIp } from '../../../net/cidr.ts';
import type { Mac } from '../../../net/mac.ts';
import { macsOf } from '../../../policy/address-owners.ts';
import { sameIp } from '../../../policy/identity.ts';
import type { NetworkId, Port, PortId } from '../../../policy/world.ts';
import { IdSpace } from '../../ids.ts';
import { isArriving } from '../../local-port.ts';
import type { Zone } from '../../zone.ts';
import type { ClassifyFacts } from '../classify/facts.ts';
import type { LocalPortRelations } from '../classify/relations.ts';
import { type RoleIds, roleNumber } from '../isolation/roles.ts';
import type { ArrivalRelations } from '../moves/arrivals.ts';
import type { RoutingRelations } from '../routing/relations.ts';
import type { TunnelFacts } from './facts.ts';

/** A host that this one has a tunnel of a kind to. */
export interface Peer {
  readonly name: string;
  /** Stands for the tunnel to the host in a register. Hosts that claim one address have one number. */
  readonly number: number;
  readonly address: Cidr;
  readonly type: TunnelType;
  /** OpenFlow port number of the tunnel port. */
  readonly ofport: number;
}

/** A port of another host. */
export interface RemotePort {
  readonly port: Port;
  readonly up: boolean;
  readonly key: PortKey;
  readonly networkKey: NetworkKey;
  /** Undefined for a network that a router joins and that has no port here: its ports only get packets. */
  readonly zone: Zone | undefined;
  /** As of a local port. */
  readonly role: number;
  readonly macs: readonly Mac[];
  readonly peer: Peer;
}

export type RemotePorts = ReadonlyMap<PortId, RemotePort>;

/** The tunnels to one host, the best first. */
export type Peers = readonly Peer[];

export interface TunnelRelations {
  readonly peers: Relation<string, Peers>;
  /** By `type|address`: the hosts at the other end of a tunnel. */
  readonly peersAt: Relation<string, ReadonlyMap<string, Peer>>;
  readonly remotes: Relation<PortId, RemotePort>;
  /** Ports at the other host that they may move to. */
  readonly arrivingRemotes: Relation<PortId, RemotePort>;
  readonly remotesOf: Relation<NetworkId, RemotePorts>;
  /** The other hosts that carry a network, in the order of their names: of those at one address the first. */
  readonly peersOf: Relation<NetworkId, readonly Peer[]>;
  /** By `network|mac`. */
  readonly remoteMacHolders: Relation<string, RemotePorts>;
  /** Ports of hosts without Geneve, by `number|network|mac`: there the MAC says who sends. */
  readonly vxlanSenders: Relation<string, RemotePorts>;
  /** Ports of such hosts that may send with any MAC, by `number|network`. */
  readonly vxlanUnguarded: Relation<string, RemotePorts>;
}

export interface HostIds {
  readonly hosts: IdSpace;
}

/** The highest bit says that a receiver is on another host. */
export const newHostIds = (): HostIds => ({
  hosts: new IdSpace({ lowest: 0x8000_0000, highest: 0xffff_fffe }),
});

const isSamePeer = (a: Peer, b: Peer): boolean =>
  a.number === b.number && sameIp(a.address, b.address) && a.type === b.type && a.ofport === b.ofport;

/** Not the host's name: a host could claim the address of another and would take its packets over. */
const tunnelName = (type: TunnelType, { family, bits }: Cidr): string => `${type}|${formatIp(family, bits)}`;

const isSamePeers = (a: Peers, b: Peers): boolean =>
  a.length === b.length && a.every((peer, at) => b[at] !== undefined && isSamePeer(peer, b[at]));

/** `here` is the name of this host. */
export function declareTunnels(
  graph: Dataflow,
  facts: ClassifyFacts & TunnelFacts,
  {
    locals,
    localsOf,
    networkKeyOf,
    isolated,
    reachedKeyOf,
    arrivals,
  }: LocalPortRelations & RoutingRelations & ArrivalRelations,
  ids: HostIds & RoleIds,
  here: string,
): TunnelRelations {
  const peers = graph.map(
    'peers',
    facts.vteps,
    (name, vtep, read): Peers | undefined => {
      const own = name === here ? undefined : read(facts.vteps, here);
      const { address } = vtep;
      const types = own === undefined ? [] : tunnelsBetween(own, vtep);
      const found = types.flatMap((type): Peer[] => {
        const ofport = read(facts.tunnels, type);
        return ofport === undefined
          ? []
          : [{ name, number: ids.hosts.of(tunnelName(type, address)), address, type, ofport }];
      });
      return found.length === 0 ? undefined : found;
    },
    { equal: isSamePeers },
  );
  const remoteAt = (id: PortId, port: Port, host: string | null, read: Read): RemotePort | undefined => {
    const toHost = host === null || host === here ? undefined : read(peers, host);
    if (toHost === undefined) return undefined;
    const { physical, tunnel } = read(facts.networks, port.network) ?? {};
    const peer = toHost.find(({ type }) => physical === undefined && (tunnel ?? type) === type);
    if (peer === undefined) return undefined;
    const networkKey = read(reachedKeyOf, port.network);
    const key = read(facts.portKeys, id);
    const isHere = read(networkKeyOf, port.network) !== undefined;
    const zone = isHere ? read(facts.zones, port.network) : undefined;
    if (networkKey === undefined || key === undefined || (isHere && zone === undefined)) return undefined;
    const up = port.adminUp && read(facts.networks, port.network)?.adminUp === true;
    const role = read(isolated, port.network) === true ? roleNumber(ids, port.network, port.role) : 0;
    return { port, up, key, networkKey, zone, role, macs: macsOf(port), peer };
  };
  const remotes = graph.map('remotes', facts.ports, (id, port, read) => {
    const local = read(locals, id);
    return local === undefined || isArriving(local) ? remoteAt(id, port, port.host, read) : undefined;
  });
  const arrivingRemotes = graph.map('arriving-remotes', arrivals, (id, { host }, read) => {
    const port = read(facts.ports, id);
    return port && remoteAt(id, port, host, read);
  });
  const arrivingRemotesOf = graph.index('arriving-remotes-of', arrivingRemotes, (_, remote) => [
    [remote.port.network, remote] as const,
  ]);
  const remotesOf = graph.index('remotes-of', remotes, (_, remote) => [
    [remote.port.network, remote] as const,
  ]);
  const peersOf = graph.map(
    'peers-of',
    localsOf,
    (network, _, read) => {
      const ports = [remotesOf, arrivingRemotesOf].flatMap((of) => [...(read(of, network)?.values() ?? [])]);
      const peers = new Map(ports.map(({ peer }) => [peer.name, peer]));
      const found = new Map<number, Peer>();
      for (const peer of [...peers.values()].sort((a, b) => (a.name < b.name ? -1 : 1)))
        if (!found.has(peer.number)) found.set(peer.number, peer);
      return [...found.values()];
    },
    { equal: (a, b) => a.length === b.length && a.every((peer, at) => peer === b[at]) },
  );
  const named = (remote: RemotePort): boolean => remote.peer.type === 'geneve';
  return {
    peers,
    peersAt: graph.index('peers-at', peers, (_, all) =>
      all.map((peer) => [tunnelName(peer.type, peer.address), peer] as const),
    ),
    remotes,
    arrivingRemotes,
    remotesOf,
    peersOf,
    remoteMacHolders: graph.index('remote-mac-holders', remotes, (_, remote) =>
      remote.macs.map((mac) => [`${remote.port.network}|${mac}`, remote] as const),
    ),
    vxlanSenders: graph.index('vxlan-senders', remotes, (_, remote) =>
      named(remote)
        ? []
        : remote.macs.map((mac) => [`${remote.peer.number}|${remote.port.network}|${mac}`, remote] as const),
    ),
    vxlanUnguarded: graph.index('vxlan-unguarded', remotes, (_, remote) =>
      named(remote) || remote.port.mode !== 'off'
        ? []
        : [[`${remote.peer.number}|${remote.port.network}`, remote] as const],
    ),
  };
}
