/**
 * Packets from and to other hosts.
 *
 * # Idea
 * The sender's host has applied the sender's guards and rules. So a packet from a tunnel goes straight to forwarding, with
 * the registers that classify loads for a local sender. The outer source address names the host, the VNI the network.
 * Geneve carries the sender's key in an option. VXLAN does not, so the sender is the port of that host with the source MAC.
 *
 * # Invariants
 * - Nothing is believed of a packet but the host that it comes from: a sender is one that the store places on that host.
 * - What comes from a tunnel goes into none (features/forwarding).
 */
import type { NetworkKey } from '../../../model/numbers.ts';
import { type Mac, macToBits } from '../../../net/mac.ts';
import type { NetworkId } from '../../../policy/world.ts';
import { copyField, output, rewrite } from '../../actions.ts';
import { type Draft, drop, flow, type MatchIn, type Priority } from '../../draft.ts';
import { address } from '../../matches.ts';
import { after } from '../../positions.ts';
import { flag, register } from '../../registers.ts';
import { inOrigin } from '../isolation/roles.ts';
import type { RouterPort } from '../routing/relations.ts';
import type { Peer, RemotePort, RemotePorts } from './peers.ts';

const why = { reason: 'tunnel' } as const;

export const fromTunnelPort = (ofport: number): Draft[] => [
  flow('classify', 'port', { in_port: ofport }, { goto: 'tunnel_host' }, why),
];

/** One flow in, one flow out. */
export function peerFlows({ number, address: ip, type, ofport }: Peer): Draft[] {
  const outerSource = ip.family === 4 ? { tun_src: address(ip) } : { tun_ipv6_src: address(ip) };
  const setDestination =
    ip.family === 4
      ? rewrite<'dispatch'>('tun_dst', Number(ip.bits))
      : rewrite<'dispatch'>('tun_ipv6_dst', ip.bits);
  return [
    flow(
      'tunnel_host',
      'known',
      { in_port: ofport, ...outerSource },
      { load: { [register.host]: number }, goto: 'tunnel_sender' },
      why,
    ),
    flow(
      'dispatch',
      'tunnel',
      { [register.host]: number },
      {
        actions: [
          setDestination,
          copyField('reg11', 'tun_id', 32),
          ...(type === 'geneve' ? [copyField<'dispatch'>('reg0', 'tun_metadata0', 32)] : []),
          output(ofport),
        ],
      },
      why,
    ),
  ];
}

/** Nobody has tracked the packet on this host. */
const flags = flag.untracked | flag.tunnelled;

/** What a sender is known by: a key or a MAC, and mostly its host. */
type Sign = Pick<MatchIn<'tunnel_sender'>, typeof register.host | 'tun_metadata0' | 'eth_src'>;

/** None in a network without a port here: nobody here could hear the sender. */
function senderFlow(
  { port, key, networkKey, zone, role }: Pick<RemotePort, 'port' | 'key' | 'networkKey' | 'zone' | 'role'>,
  band: Priority<'tunnel_sender'>,
  sign: Sign,
  router?: number,
  more = 0,
): Draft[] {
  if (zone === undefined) return [];
  const draft = flow(
    'tunnel_sender',
    band,
    { tun_id: BigInt(networkKey), ...sign },
    {
      load: {
        [register.source]: key,
        [register.zone]: zone,
        [register.network]: networkKey,
        ...(role === 0 ? {} : { [register.origin]: inOrigin(role) }),
        [register.flags]: flags | more,
        [register.host]: 0,
        ...(router === undefined ? {} : { [register.router]: router }),
      },
      goto: after('egressQos'),
    },
    { reason: 'tunnel-port', port: port.id },
  );
  return [draft];
}

export const senderByKey = (remote: RemotePort): Draft[] =>
  remote.up && remote.peer.type === 'geneve'
    ? senderFlow(remote, 'key', { [register.host]: remote.peer.number, tun_metadata0: remote.key })
    : [];

/** A port at the host that it may move to. On VXLAN it is known by its own MAC, which no other port has. */
export const arrivingSender = (remote: RemotePort): Draft[] => {
  if (!remote.up) return [];
  const { peer, key, port } = remote;
  const [band, sign] =
    peer.type === 'geneve'
      ? (['key', { tun_metadata0: key }] as const)
      : (['mac', { eth_src: macToBits(port.mac) }] as const);
  return senderFlow(remote, band, { [register.host]: peer.number, ...sign }, undefined, flag.moving);
};

/** A router sends from every host. Which of its networks a packet came from is the sending host's affair. */
export const routerSender = (of: RouterPort): Draft[] => [
  ...senderFlow(of, 'router', { tun_metadata0: of.key }, of.number),
  ...senderFlow(of, 'routerMac', { eth_src: macToBits(of.port.mac) }, of.number),
];

const firstUp = (ports: RemotePorts): RemotePort | undefined =>
  [...ports.values()].filter(({ up }) => up).sort((a, b) => (a.port.id < b.port.id ? -1 : 1))[0];

/** Where several ports of a host have the MAC, the first stands for all. */
export function senderByMac(name: string, ports: RemotePorts): Draft[] {
  const [, , mac = ''] = name.split('|');
  const sender = firstUp(ports);
  if (sender === undefined) return [];
  return senderFlow(sender, 'mac', {
    [register.host]: sender.peer.number,
    eth_src: macToBits(mac as Mac),
  });
}

/** Only a port without port security may send with a MAC that is nobody's. */
export function senderOfAnyMac(ports: RemotePorts): Draft[] {
  const sender = firstUp(ports);
  return sender === undefined ? [] : senderFlow(sender, 'unguarded', { [register.host]: sender.peer.number });
}

export const unknownSender = (network: NetworkId, key: NetworkKey): Draft[] => [
  drop(
    'tunnel_sender',
    'network',
    { tun_id: BigInt(key) },
    { reason: 'tunnel-sender', drop: 'ingress', network },
  ),
];

export const tunnelDefaults: readonly Draft[] = [
  drop('tunnel_host', 'unknown', {}, { reason: 'unknown-vtep', drop: 'ingress' }),
  drop('tunnel_sender', 'unknown', {}, { reason: 'tunnel-network', drop: 'ingress' }),
];
