/**
 * Who gets what in an isolated network: each role on each of two hosts sends each kind of frame to each other port, by Geneve, VXLAN and
 * a VLAN. Real switches do what the evaluator says, also after roles have changed, and nothing passes between isolated ports.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PortRole } from '../../src/model/records.ts';
import { type Cidr, cidr } from '../../src/net/cidr.ts';
import type { Mac } from '../../src/net/mac.ts';
import { icmpv6Types, neighbourMessage, solicitedNode, sourceOption } from '../../src/net/packet/icmpv6.ts';
import { tcpFlags } from '../../src/net/packet/transport.ts';
import { type Trackers, walk } from '../../src/policy/walk.ts';
import type { PortId, World } from '../../src/policy/world.ts';
import {
  arpRequest,
  dhcpFrame,
  echoFrame,
  groupMac,
  icmpFrame,
  ip,
  mac,
  tcpFrame,
  udpFrame,
} from '../lib/frames.ts';
import { physicalNetwork } from './carriages.ts';
import { textOfObservation, textOfVerdict } from './comparison.ts';
import { hostNames, TunnelledHosts } from './tunnelled-hosts.ts';
import { host, openGroup, type PortText, worldFrom } from './worlds.ts';

const isolated: PortRole = { kind: 'isolated' };
const promiscuous: PortRole = { kind: 'promiscuous' };
const community = (name: string): PortRole => ({ kind: 'community', name });

/** The last is the gateway. */
const ports = [
  { id: 'one', role: isolated, here: true, mode: 'strict' },
  { id: 'loose', role: isolated, here: true, mode: 'off' },
  { id: 'two', role: isolated, here: false, mode: 'strict' },
  { id: 'red', role: community('red'), here: true, mode: 'strict' },
  { id: 'ruby', role: community('red'), here: false, mode: 'off' },
  { id: 'blue', role: community('blue'), here: false, mode: 'strict' },
  { id: 'server', role: promiscuous, here: false, mode: 'off' },
  { id: 'gateway', role: promiscuous, here: true, mode: 'off' },
] as const;
type Name = (typeof ports)[number]['id'];
const names = ports.map(({ id }) => id);
const at = (name: Name): number => names.indexOf(name);
const macOf = (name: Name): Mac => mac(`02:00:00:00:00:${(16 + at(name)).toString(16)}`);
const endOf = (name: Name): string => (name === 'gateway' ? '1' : String(16 + at(name)));
const textsOf = (name: Name): string[] => [`10.0.0.${endOf(name)}`, `2001:db8::${endOf(name)}`];
const ip4Of = (name: Name) => ip(`10.0.0.${endOf(name)}`);
const ip6Of = (name: Name) => ip(`2001:db8::${endOf(name)}`);

/** `turned`: isolated ports and the community have changed roles. */
function worldOf(turned: boolean, vlan: boolean): World {
  const roleOf = (role: PortRole): PortRole => {
    if (!turned || role.kind === 'promiscuous') return role;
    return role.kind === 'isolated' ? community('red') : isolated;
  };
  const world = worldFrom({
    isolated: true,
    connectedHosts: hostNames,
    subnets: ['10.0.0.0/24', '2001:db8::/64'],
    gateways: ['10.0.0.1', '2001:db8::1'],
    ports: ports.map(
      ({ id, role, here, mode }): PortText => ({
        id,
        mac: macOf(id),
        ips: textsOf(id),
        mode,
        groups: mode === 'off' ? [] : ['open'],
        role: roleOf(role),
        dhcpServer: id === 'server',
        host: here ? host : 'there',
      }),
    ),
    rules: openGroup('open'),
  });
  if (!vlan) return world;
  const physical = { network: physicalNetwork, vlan: 7 };
  return {
    ...world,
    networks: new Map([...world.networks].map(([id, network]) => [id, { ...network, physical }])),
    bridged: new Map(hostNames.map((name) => [name, new Set([physicalNetwork])])),
  };
}

const toGroup = (group: Cidr): Mac => groupMac(group) ?? mac('ff:ff:ff:ff:ff:ff');
const everybody = mac('ff:ff:ff:ff:ff:ff');
/** Of a protocol that the switch does not read. */
const unknownType = (from: Mac, to: Mac): Buffer =>
  Buffer.concat([
    ...[to, from].map((one) => Buffer.from(one.replaceAll(':', ''), 'hex')),
    Buffer.from('88b5', 'hex'),
    Buffer.alloc(46),
  ]);

function solicitation(from: Name, target: Name): Buffer {
  const [asked, source] = [ip6Of(target), macOf(from)];
  const group = solicitedNode(asked);
  const message = neighbourMessage(135, 0, asked, [sourceOption(source)]);
  return icmpFrame({ from: source, to: toGroup(group), src: ip6Of(from), dst: group }, message);
}

/** What one port sends for another. */
function between(from: Name, to: Name): Buffer[] {
  const link = { from: macOf(from), to: macOf(to) };
  const four = { ...link, src: ip4Of(from), dst: ip4Of(to) };
  const six = { ...link, src: ip6Of(from), dst: ip6Of(to) };
  return [
    arpRequest(macOf(from), ip4Of(from), ip4Of(to)),
    solicitation(from, to),
    echoFrame(four, 'request'),
    echoFrame(six, 'request'),
    tcpFrame(four, 1, 80, tcpFlags.syn),
    udpFrame(six, 1, 53),
    unknownType(link.from, link.to),
    // The gateway's MAC says nothing of who sends.
    echoFrame({ ...four, from: macOf('gateway') }, 'request', 8),
  ];
}

/** What one port sends to all. */
function toAll(from: Name): Buffer[] {
  const source = macOf(from);
  const routers = ip('ff02::2');
  const [nodes, mdns] = [ip('ff02::1'), ip('224.0.0.251')];
  const message = (type: number) => ({ type, code: 0, rest: 0, body: Buffer.alloc(8) });
  const four = { from: source, src: ip4Of(from) };
  const six = { from: source, src: ip6Of(from) };
  const request = { from: source, to: everybody, src: cidr(4, 0n), dst: ip('255.255.255.255') };
  return [
    arpRequest(source, cidr(4, 0n), ip4Of('two')),
    arpRequest(source, ip4Of(from), ip4Of(from)),
    arpRequest(source, ip4Of(from), ip('10.0.0.200')),
    icmpFrame({ ...six, to: toGroup(routers), dst: routers }, message(icmpv6Types.routerSolicitation)),
    icmpFrame({ ...six, to: toGroup(nodes), dst: nodes }, message(icmpv6Types.routerAdvertisement)),
    udpFrame({ ...four, to: everybody, dst: ip('255.255.255.255') }, 1, 9),
    udpFrame({ ...four, to: toGroup(mdns), dst: mdns }, 5353, 5353),
    unknownType(source, everybody),
    dhcpFrame(request, 'client', source),
    arpRequest(macOf('gateway'), ip4Of('gateway'), ip4Of('two')),
    arpRequest(mac('02:00:00:00:77:77'), ip4Of(from), ip4Of('blue')),
  ];
}

const steps = names.flatMap((from) =>
  [...names.filter((to) => to !== from).flatMap((to) => between(from, to)), ...toAll(from)].map((frame) => ({
    sender: from as string as PortId,
    frames: [frame] as const,
  })),
);

describe.each(['geneve', 'vxlan', 'vlan'] as const)('by %s', (carriage) => {
  let hosts: TunnelledHosts;
  beforeAll(async () => {
    hosts = await TunnelledHosts.start({ type: carriage === 'vlan' ? 'geneve' : carriage, family: 4 });
  });
  afterAll(() => hosts.stop());

  test.each([false, true])('every frame goes where the evaluator says (roles turned: %s)', async (turned) => {
    const world = await hosts.enter(worldOf(turned, carriage === 'vlan'));
    const confined = (id: PortId) => world.ports.get(id)?.role.kind === 'isolated';
    const wrong: string[] = [];
    let [trackers, passed, answered]: [Trackers, number, number] = [new Map(), 0, 0];
    for (const step of steps) {
      const where = { host: world.ports.get(step.sender)?.host ?? '', port: step.sender };
      const walked = walk(world, where, trackers, step.frames);
      trackers = walked.trackers;
      const [seen] = await hosts.run([step]);
      if (seen === undefined) throw new Error('an observation of each step');
      const [expected, observed] = [textOfVerdict(walked), textOfObservation(seen)];
      if (expected !== observed)
        wrong.push(`${step.sender} '${expected}' but '${observed}': ${step.frames[0].toString('hex')}`);
      if (confined(step.sender) && [...seen.delivered].some(confined)) wrong.push(`leak from ${step.sender}`);
      passed += seen.delivered.size;
      answered += Number(walked.reply !== null);
    }
    expect(wrong).toEqual([]);
    expect(Math.min(passed, answered)).toBeGreaterThan(20);
  });
});
