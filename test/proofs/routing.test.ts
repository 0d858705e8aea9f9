/**
 * The proof of routers: two real switches route between networks as the reference evaluator says, for generated worlds and
 * traffic. And what arrives is what a router makes of a frame, byte by byte.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cidr } from '../../src/net/cidr.ts';
import { parseFrame } from '../../src/net/packet/frame.ts';
import { parseNeighbour } from '../../src/net/packet/icmpv6.ts';
import type { Reply } from '../../src/policy/verdict.ts';
import { type Trackers, type Walk, walk } from '../../src/policy/walk.ts';
import type { PortId, World } from '../../src/policy/world.ts';
import { ip, mac, udpFrame } from '../lib/frames.ts';
import type { Observation, Step } from './driver.ts';
import { routedSteps, routedWorld, unroutedText } from './routed-worlds.ts';
import { stepText, worldText } from './telling.ts';
import { TunnelledHosts, type Tunnelling } from './tunnelled-hosts.ts';
import { host, type PortText, wideGroup, worldFrom } from './worlds.ts';

const worlds = Number(process.env.PORTCULLIS_ROUTED_WORLDS ?? 24);
const seed = Number(process.env.PORTCULLIS_PROOF_SEED ?? 1);

const worldAndSteps = routedWorld.chain((world) =>
  fc.record({ world: fc.constant(world), steps: routedSteps(world) }),
);

const routerPort = (id: string, network: string, own: string, ips: readonly string[]): PortText => ({
  id,
  network,
  mac: own,
  ips,
  mode: 'off',
  service: true,
  host: null,
});

const tunnellings: readonly Tunnelling[] = [
  { type: 'geneve', family: 4 },
  { type: 'vxlan', family: 6 },
];

const faultNames = ['ttl-exceeded', 'no-route', 'unresolved', 'too-big'] as const;
/** By type and code. */
const faults: Readonly<Record<4 | 6, Readonly<Record<string, string>>>> = {
  4: { '11/0': 'ttl-exceeded', '3/0': 'no-route', '3/1': 'unresolved', '3/4': 'too-big' },
  6: { '3/0': 'ttl-exceeded', '1/0': 'no-route', '1/3': 'unresolved', '2/0': 'too-big' },
};

/** The text of a frame that came back to the sender. */
function answerText(bytes: Buffer): string {
  const frame = parseFrame(bytes);
  if (frame?.arp?.op === 2) return `arp ${frame.arp.spa.bits} ${frame.arp.sha}`;
  const upper = frame?.ip?.upper;
  if (upper?.kind === 'icmp' && upper.sound && frame?.ip?.sound) {
    const fault = faults[frame.ip.family][`${upper.type}/${upper.code}`];
    if (fault !== undefined) return `${fault} from ${frame.ip.src.bits}`;
  }
  if (upper?.kind !== 'icmp') return `unexpected ${bytes.toString('hex')}`;
  const told = upper.type === 136 ? parseNeighbour(upper) : null;
  if (told !== null) return `nd ${told.target.bits} ${told.targetMac}`;
  return upper.sound && frame?.ip?.sound && (upper.type === 0 || upper.type === 129)
    ? `echo from ${frame.ip.src.bits}`
    : `unexpected ${bytes.toString('hex')}`;
}

const replyText = ({ kind, address, mac }: Reply): string => `${kind} ${address.bits} ${mac}`;

/** What a router says of a packet that it drops. */
function toldText(
  world: World,
  { sender, frames: [first] }: Step,
  { sender: outcome, steps, receivers }: Walk,
) {
  const by = world.ports.get(steps.findLast(({ reason }) => reason === 'router-error')?.port ?? sender);
  const family = first && parseFrame(first)?.ip?.family;
  const from = by?.fixedIps.find((own) => own.family === family);
  const isTold = outcome.outcome === 'dropped' && receivers.get(sender)?.outcome === 'passed';
  return isTold ? `${outcome.reason} from ${from?.bits}` : '';
}

function expectedText(world: World, step: Step, walked: Walk): string {
  const { sender, frames } = step;
  const [first] = frames;
  if (walked.sender.outcome === 'dropped') return toldText(world, step, walked);
  const passed = [...walked.receivers]
    .filter(([id, { outcome }]) => outcome === 'passed' && id !== sender)
    .map(([id]) => id)
    .sort();
  const isBack = walked.receivers.get(sender)?.outcome === 'passed';
  const isAnswer = walked.steps.some(({ reason }) => reason === 'router-answer');
  const asked = isBack && first !== undefined ? parseFrame(first)?.ip : null;
  return [
    ...passed,
    ...(walked.reply === null ? [] : [replyText(walked.reply)]),
    ...(asked ? (isAnswer ? [`echo from ${asked.dst.bits}`] : frames.map(() => 'itself')) : []),
  ].join(' ');
}

const observedText = ({ frames }: Step, { delivered, partial, answers }: Observation): string =>
  [
    ...[...delivered].sort(),
    ...[...partial].sort().map((id) => `a part at ${id}`),
    ...answers.map((bytes) =>
      frames.some((frame) => unroutedText(frame) === unroutedText(bytes)) ? 'itself' : answerText(bytes),
    ),
  ].join(' ');

describe.each(tunnellings)('$type over IPv$family', (tunnelling) => {
  let hosts: TunnelledHosts;
  beforeAll(async () => {
    hosts = await TunnelledHosts.start(tunnelling, unroutedText);
  });
  afterAll(() => hosts.stop());

  test(`two switches route as the evaluator says (${worlds} worlds, seed ${seed})`, {
    timeout: 300_000,
  }, async () => {
    const seen = {
      here: 0,
      across: 0,
      echoes: 0,
      'ttl-exceeded': 0,
      'no-route': 0,
      unresolved: 0,
      'too-big': 0,
    };
    const result = await fc.check(
      fc.asyncProperty(worldAndSteps, async ({ world: placed, steps }) => {
        const world = await hosts.enter(placed);
        let trackers: Trackers = new Map();
        for (const step of steps) {
          const [first, ...others] = step.frames;
          const from = world.ports.get(step.sender);
          if (first === undefined || from?.host == null) continue;
          const walked = walk(world, { host: from.host, port: step.sender }, trackers, [first, ...others]);
          trackers = walked.trackers;
          const [observation] = await hosts.run([step]);
          if (observation === undefined) throw new Error('an observation of each step');
          for (const id of observation.delivered) {
            const to = world.ports.get(id);
            if (to === undefined || to.network === from.network) continue;
            if (to.host === from.host) seen.here += 1;
            else seen.across += 1;
          }
          const [expected, observed] = [expectedText(world, step, walked), observedText(step, observation)];
          for (const fault of faultNames) if (observed.startsWith(fault)) seen[fault] += 1;
          if (observed.includes('echo')) seen.echoes += 1;
          if (expected === observed) continue;
          const places = [...world.ports.values()].map(({ id, host: place }) => `${id}@${place}`).join(' ');
          const way = walked.steps.map((one) => `${one.host} ${one.port} ${one.stage} ${one.reason}`);
          throw new Error(
            [
              worldText(world),
              places,
              stepText(step),
              first.toString('hex').slice(0, 200),
              `expected '${expected}', observed '${observed}'`,
              ...way,
            ].join('\n'),
          );
        }
      }),
      { numRuns: worlds, seed, endOnFailure: true },
    );
    if (result.failed)
      expect.fail(`after ${result.numRuns} worlds of seed ${seed}:\n${String(result.errorInstance)}`);
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(3);
  });

  test('members of a remote group count behind the router, on one host and through a tunnel', async () => {
    const guest = (id: string, network: string, last: number, groups: string[], place = host): PortText => ({
      id,
      network,
      mac: `02:00:00:00:00:${last}`,
      ips: [`10.${network === 'n1' ? 1 : 2}.0.${last}`],
      groups,
      host: place,
    });
    const world = worldFrom({
      subnets: ['10.1.0.0/24'],
      subnetsOf: { n2: ['10.2.0.0/24'] },
      ports: [
        guest('member', 'n1', 10, ['members', 'out']),
        // An address of the other network as a pair makes nobody there a member.
        { ...guest('claimant', 'n1', 11, ['members', 'out']), pairs: [['10.2.0.14']] },
        guest('stranger', 'n1', 12, ['out']),
        guest('near', 'n2', 13, ['in']),
        guest('far', 'n2', 15, ['in'], 'there'),
        guest('speaker', 'n1', 16, ['toMembers']),
        guest('listener', 'n2', 17, ['all', 'members']),
        guest('other', 'n2', 14, ['all']),
        routerPort('r1', 'n1', '02:00:00:00:01:01', ['10.1.0.1']),
        routerPort('r2', 'n2', '02:00:00:00:01:02', ['10.2.0.1']),
      ],
      rules: [
        { group: 'out', direction: 'egress' },
        { group: 'all', direction: 'ingress' },
        { group: 'in', direction: 'ingress', remote: '@members' },
        { group: 'toMembers', direction: 'egress', remote: '@members' },
      ],
      routers: { r: { ports: ['r1', 'r2'] } },
    });
    await hosts.enter(world);
    const to = mac('02:00:00:00:01:01');
    const reached = async (from: string, last: number, target: string): Promise<string[]> => {
      const link = { from: mac(`02:00:00:00:00:${last}`), to };
      const layer = { ...link, src: ip(`10.1.0.${last}`), dst: ip(target) };
      const frames = [udpFrame(layer, 5000 + last, 53)];
      const [seen] = await hosts.run([{ sender: from as PortId, frames }]);
      return [...(seen?.delivered ?? [])];
    };
    expect(await reached('member', 10, '10.2.0.13')).toEqual(['near']);
    expect(await reached('member', 10, '10.2.0.15')).toEqual(['far']);
    expect(await reached('stranger', 12, '10.2.0.13')).toEqual([]);
    expect(await reached('stranger', 12, '10.2.0.15')).toEqual([]);
    expect(await reached('speaker', 16, '10.2.0.17')).toEqual(['listener']);
    expect(await reached('speaker', 16, '10.2.0.14')).toEqual([]);
  });

  test('a routed packet is the same but for its MACs and TTL, on one host and through a tunnel', async () => {
    const world = worldFrom({
      subnets: ['10.1.0.0/24', '2001:db8:1::/64'],
      subnetsOf: { n2: ['10.2.0.0/24', '2001:db8:2::/64'] },
      ports: [
        { id: 'a', mac: '02:00:00:00:00:0a', ips: ['10.1.0.10', '2001:db8:1::a'], groups: ['wide'] },
        {
          id: 'b',
          network: 'n2',
          mac: '02:00:00:00:00:0b',
          ips: ['10.2.0.11', '2001:db8:2::b'],
          groups: ['wide'],
        },
        {
          id: 'c',
          network: 'n2',
          mac: '02:00:00:00:00:0c',
          ips: ['10.2.0.12', '2001:db8:2::c'],
          groups: ['wide'],
          host: 'there',
        },
        routerPort('r1', 'n1', '02:00:00:00:01:01', ['10.1.0.1', '2001:db8:1::1']),
        routerPort('r2', 'n2', '02:00:00:00:01:02', ['10.2.0.1', '2001:db8:2::1']),
      ],
      rules: wideGroup('wide'),
      routers: { r: { ports: ['r1', 'r2'] } },
    });
    await hosts.enter(world);
    const at = { from: mac('02:00:00:00:00:0a'), to: mac('02:00:00:00:01:01'), hopLimit: 64 };
    for (const [to, last] of [
      ['b', '0b'],
      ['c', '0c'],
    ] as const)
      for (const family of [4, 6] as const) {
        const [src, dst] = (
          family === 4
            ? ['10.1.0.10', `10.2.0.1${to === 'b' ? 1 : 2}`]
            : ['2001:db8:1::a', `2001:db8:2::${to}`]
        ).map(ip) as [Cidr, Cidr];
        const sent = udpFrame({ ...at, src, dst }, 4000 + family, 53);
        await hosts.run([{ sender: 'a' as PortId, frames: [sent] }]);
        const routed = { from: mac('02:00:00:00:01:02'), to: mac(`02:00:00:00:00:${last}`), hopLimit: 63 };
        expect(hosts.lastFrames(to as PortId)).toEqual([
          udpFrame({ ...routed, src, dst }, 4000 + family, 53),
        ]);
      }
  });
});
