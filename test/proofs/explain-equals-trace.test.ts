/**
 * `explain` against the switch's own trace: for 2,000 generated packets, with the connections that earlier packets made,
 * `ofproto/trace` delivers each packet where `explain` says, and drops it for that reason. No packet is sent.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { explainPacket } from '../../src/agent/report/explaining.ts';
import type { Explanation } from '../../src/model/explanation.ts';
import { formatIp } from '../../src/net/cidr.ts';
import { parseFrame } from '../../src/net/packet/frame.ts';
import { neighbourMessage, solicitedNode, sourceOption } from '../../src/net/packet/icmpv6.ts';
import type { Pipeline } from '../../src/pipeline/flow-derivation.ts';
import { originatorPlaces, responderPlaces } from '../../src/pipeline/record.ts';
import {
  type ConnectionRecord,
  type ConntrackLookup,
  emptyTracker,
  isEstablished,
  lookUpConnection,
  type RecordSlots,
  type Tracker,
} from '../../src/policy/conntrack.ts';
import { evaluateDatagram } from '../../src/policy/evaluator.ts';
import type { PortId, World } from '../../src/policy/world.ts';
import { arpRequest, groupMac, icmpFrame } from '../lib/frames.ts';
import { InstalledWorld } from '../lib/installed-world.ts';
import { stepsArbitrary } from './arbitrary-steps.ts';
import { worldArbitrary } from './arbitrary-worlds.ts';
import { liveConnection } from './comparison.ts';
import { Driver, type Step, startDriver } from './driver.ts';
import { stepText, worldText } from './telling.ts';
import { generous, host } from './worlds.ts';

const wanted = Number(process.env.PORTCULLIS_PROOF_PACKETS ?? 2000);
const seed = Number(process.env.PORTCULLIS_PROOF_SEED ?? 1);
/** More lookups than any packet meets: each of several receivers may make one. */
const maxLookups = 12;

let driver: Driver;
let installed: InstalledWorld | null = null;

beforeAll(async () => {
  driver = await startDriver(async ({ at, bridge, world, ports }) => {
    if (installed === null) {
      installed = new InstalledWorld(at.mgmt(bridge));
      installed.pipeline.facts.qosPolicies.set(generous.id, generous);
    }
    await installed.install(world, ports);
  });
});
afterAll(async () => {
  await installed?.close();
  await driver.stop();
});

type Record = { readonly label: bigint; readonly mark: number };

/** What the switch would keep of a connection: the keys of the ports on its record, each in its slot. */
function recordOf({ facts }: Pipeline, { originators, receivers }: ConnectionRecord): Record {
  let label = 0n;
  let mark = 0;
  const put = (places: typeof originatorPlaces | typeof responderPlaces, slots: RecordSlots): void => {
    for (const [at, { field, offset }] of places.entries()) {
      const port = slots[at] ?? null;
      if (port === null) continue;
      const key = facts.portKeys.get(port) ?? 0;
      if (field === 'ct_mark') mark = key;
      else label |= BigInt(key) << BigInt(offset);
    }
  };
  put(originatorPlaces, originators);
  put(responderPlaces, receivers);
  return { label, mark };
}

const names: ReadonlyMap<number, string> = new Map([
  [1, 'icmp'],
  [6, 'tcp'],
  [17, 'udp'],
  [58, 'icmpv6'],
  [132, 'sctp'],
]);

/** The connections as `dpctl/dump-conntrack` prints those of one zone. */
function dumpOf(pipeline: Pipeline, tracker: Tracker, network: string, zone: number): string {
  return [...tracker]
    .filter(([key]) => key.startsWith(`${network}|`))
    .map(([key, record]) => {
      const { protocol, src, dst } = liveConnection(key, record);
      const [, , , from = '', , to = ''] = key.split('|');
      const [id, type] = from.split('/');
      const layer4 =
        type === undefined ? `sport=${from || 0},dport=${to || 0}` : `id=${id},type=${type},code=0`;
      const ends = `src=${formatIp(src.family, src.bits)},dst=${formatIp(dst.family, dst.bits)},${layer4}`;
      const { label, mark } = recordOf(pipeline, record);
      const name = names.get(protocol) ?? protocol;
      return `${name},orig=(${ends}),reply=(${ends}),zone=${zone},mark=${mark},labels=0x${label.toString(16)}`;
    })
    .join('\n');
}

/** The state that connection tracking would give the packet. */
function stateOf(lookup: ConntrackLookup | null): string {
  if (lookup === null || lookup.state === 'invalid') return 'trk,inv';
  if (lookup.state === 'new') return 'trk,new';
  const state = lookup.related ? 'rel' : isEstablished(lookup) ? 'est' : 'new';
  return lookup.reply ? `trk,${state},rpl` : `trk,${state}`;
}

/** A trace prints layer-4 fields under names that it takes for TCP and ICMP alone. */
function asTaken(flow: string): string {
  const [, protocol] = /^(udp|sctp)6?,/.exec(flow) ?? [];
  if (protocol !== undefined) return flow.replaceAll(/\btp_(src|dst)=/g, `${protocol}_$1=`);
  return flow.startsWith('icmp6,') ? flow.replaceAll(/\bicmp_(type|code)=/g, 'icmpv6_$1=') : flow;
}

interface Traced {
  /** The devices that the packet leaves by. */
  readonly outputs: ReadonlySet<string>;
  /** The cookies of all flows that it meets. */
  readonly cookies: readonly bigint[];
  readonly text: string;
}

/** The switch's own word on a packet of a connection in this state and with this record. */
async function trace(ofport: number, frame: Buffer, state: string, record: Record | null): Promise<Traced> {
  const { control } = driver.at;
  const lookups = Array.from({ length: maxLookups }, () => ['--ct-next', state]).flat();
  const options = ['--names', ...lookups];
  const hex = frame.toString('hex');
  let text = await control.call('ofproto/trace', ['proof', `in_port=${ofport}`, ...options, hex]);
  if (record !== null) {
    // Given bytes, the switch ignores the record of the request. Given the flow of those bytes, it does not.
    const [, flow = ''] = /^Flow: (.*)$/m.exec(text) ?? [];
    const known = `${asTaken(flow)},ct_label=0x${record.label.toString(16)},ct_mark=${record.mark}`;
    text = await control.call('ofproto/trace', ['proof', known, ...options]);
  }
  const actions = [...text.matchAll(/^Datapath actions: (.*)$/gm)].map(([, line = '']) => line).join(',');
  return {
    outputs: new Set(actions.match(/\bdummy\d+\b/g) ?? []),
    cookies: [...text.matchAll(/, cookie (0x[0-9a-f]+)$/gm)].map(([, cookie = '']) => BigInt(cookie)),
    text,
  };
}

const deviceOf = (world: World, port: PortId): string => `dummy${Driver.localPorts(world).indexOf(port) + 1}`;

function expectedText(world: World, { result, receivers }: Explanation): string {
  if (result === 'answered') return 'answered';
  const got = receivers.filter((receiver) => receiver.result === 'pass');
  return got
    .map(({ port }) => deviceOf(world, port as PortId))
    .sort()
    .join(' ');
}

/** A frame may be wrong in two ways. The flows then name the one that they look at first. */
const otherNames: ReadonlyMap<string, string> = new Map([
  ['ip-spoof', 'dhcp-server'],
  ['nd-spoof', 'ip-spoof'],
]);
/** No flow drops these: the agent gets the packet, or only its sender has the destination. */
const withoutFlow: ReadonlySet<string> = new Set(['dad-pending', 'unknown-destination']);

function isNamed(reason: string, drops: readonly string[]): boolean {
  const other = otherNames.get(reason);
  if (drops.includes(reason) || (other !== undefined && drops.includes(other))) return true;
  return withoutFlow.has(reason) && drops.length === 0;
}

/** Asks both about one packet; null when they agree. `seen` gets what `explain` said. */
async function difference(
  world: World,
  { sender, frames }: Step,
  frame: Buffer,
  tracker: Tracker,
  seen: Explanation[],
): Promise<string | null> {
  if (installed === null) throw new Error('no world is installed');
  const { pipeline } = installed;
  const port = world.ports.get(sender);
  if (port === undefined) throw new Error(`no port ${sender}`);
  const zone = installed.zoneOf(port.network);
  const connections = async () => dumpOf(pipeline, tracker, port.network, zone);
  const explained = await explainPacket({ pipeline, host, connections }, { port: sender, frame });
  if (explained === null) throw new Error(`${sender} is not plugged`);
  seen.push(explained);
  const ip = parseFrame(frame)?.ip ?? null;
  const lookup = ip === null ? null : lookUpConnection(tracker, port.network, ip).lookup;
  const record = lookup?.state === 'known' ? recordOf(pipeline, lookup.connection) : null;
  const ofport = Driver.localPorts(world).indexOf(sender) + 1;
  const { outputs, cookies, text } = await trace(ofport, frame, stateOf(lookup), record);
  const met = cookies.flatMap((cookie) => pipeline.desired.provenanceOf(cookie) ?? []);
  // An answer becomes another packet on the way, which no trace follows.
  const observed = met.some(({ reason }) => reason === 'answer') ? 'answered' : [...outputs].sort().join(' ');
  const expected = expectedText(world, explained);
  const drops = met.flatMap(({ reason, drop }) => (drop === undefined ? [] : [reason]));
  const unnamed = explained.steps.filter((step) => step.result === 'drop' && !isNamed(step.reason, drops));
  if (expected === observed && unnamed.length === 0) return null;
  const steps = explained.steps.map(({ port: id, stage, reason }) => `${id} ${stage} ${reason}`);
  return [
    worldText(world),
    stepText({ sender, frames }),
    `explain: '${expected}', trace: '${observed}', which drops for: ${drops.join()}`,
    ...steps,
    text,
  ].join('\n');
}

/** Questions that the switch may answer: they are rare in generated traffic. */
function questionsOf(world: World): Step[] {
  const locals = Driver.localPorts(world).flatMap((id) => world.ports.get(id) ?? []);
  const targets = [...world.ports.values()].slice(0, 4);
  return locals.flatMap((port) =>
    targets
      .filter(({ id, network }) => id !== port.id && network === port.network)
      .flatMap(({ fixedIps }) => fixedIps)
      .flatMap((target): Step[] => {
        const src = port.fixedIps.find(({ family }) => family === target.family);
        if (src === undefined) return [];
        if (target.family === 4) return [{ sender: port.id, frames: [arpRequest(port.mac, src, target)] }];
        const dst = solicitedNode(target);
        const layer = { from: port.mac, to: groupMac(dst) ?? port.mac, src, dst, hopLimit: 255 };
        const message = neighbourMessage(135, 0, target, [sourceOption(port.mac)]);
        return [{ sender: port.id, frames: [icmpFrame(layer, message)] }];
      }),
  );
}

test(`explain says what ofproto/trace says (${wanted} packets, seed ${seed})`, {
  timeout: 120_000 + 10 * wanted,
}, async () => {
  const seen: Explanation[] = [];
  const samples = fc.sample(
    worldArbitrary.chain((world) => stepsArbitrary(world, 40).map((steps) => ({ world, steps }))),
    { numRuns: wanted / 20, seed },
  );
  for (const { world, steps } of samples) {
    if (seen.length >= wanted) break;
    await driver.enter(world);
    let tracker = emptyTracker;
    for (const step of [...questionsOf(world), ...steps]) {
      const [frame, ...others] = step.frames;
      if (frame === undefined) continue;
      // Pieces wait in the datapath for their others, which no trace shows.
      if (others.length === 0 && (parseFrame(frame)?.ip?.fragment ?? null) === null) {
        expect(await difference(world, step, frame, tracker, seen)).toBeNull();
      }
      tracker = evaluateDatagram(world, host, tracker, step.sender, [frame, ...others]).tracker;
    }
  }
  expect(seen.length).toBeGreaterThanOrEqual(wanted);
  const count = (is: (one: Explanation) => boolean): number => seen.filter(is).length;
  expect(count(({ result }) => result === 'delivered')).toBeGreaterThan(200);
  expect(count(({ result }) => result === 'dropped')).toBeGreaterThan(200);
  expect(count(({ result }) => result === 'answered')).toBeGreaterThan(20);
  expect(count(({ connection }) => connection !== null)).toBeGreaterThan(50);
});
