/**
 * The proof of tunnels: for generated worlds whose ports are on three hosts, three real switches do what the reference
 * evaluator says. And nothing that a stranger, or a host that lies, sends into a tunnel reaches a port.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Mac } from '../../src/net/mac.ts';
import { tcpFlags } from '../../src/net/packet/transport.ts';
import type { TableName } from '../../src/pipeline/tables.ts';
import { type Trackers, type Walk, walk } from '../../src/policy/walk.ts';
import type { NetworkId, PortId, World } from '../../src/policy/world.ts';
import { type GeneveHeader, geneveOption, inGeneve, inVxlan, keyOption } from '../lib/encapsulation.ts';
import { ip, mac, tagged, tcpFrame, udpFrame } from '../lib/frames.ts';
import { networkKeyOf, portKeyOf } from '../lib/keys.ts';
import { macOf } from '../lib/underlay.ts';
import { stepsArbitrary } from './arbitrary-steps.ts';
import { worldArbitrary } from './arbitrary-worlds.ts';
import { textOfObservation, textOfVerdict } from './comparison.ts';
import type { Step } from './driver.ts';
import { arpMatrix } from './matrix/arp-matrix.ts';
import { ipMatrix } from './matrix/ip-matrix.ts';
import { type Entry, matrixWorld } from './matrix/matrix.ts';
import { ndMatrix } from './matrix/nd-matrix.ts';
import { stepText, worldText } from './telling.ts';
import { hostNames, TunnelledHosts, type Tunnelling } from './tunnelled-hosts.ts';
import { host, wideGroup, worldFrom } from './worlds.ts';

const worlds = Number(process.env.PORTCULLIS_TUNNEL_WORLDS ?? 8);
const seed = Number(process.env.PORTCULLIS_PROOF_SEED ?? 1);
/** Of the spoof matrix each such entry: the guards are those of one host, which the whole matrix proves. 1 sends all. */
const everyNth = Number(process.env.PORTCULLIS_TUNNEL_MATRIX_NTH ?? 23);

const spread = (world: World, places: readonly string[]): World => ({
  ...world,
  ports: new Map(
    [...world.ports.values()].map((port, at) => {
      return [port.id, port.host === host ? { ...port, host: places[at] ?? host } : port];
    }),
  ),
});

const worldAndSteps = worldArbitrary.chain((world) =>
  fc.record({
    steps: stepsArbitrary(world, 60),
    world: fc
      .array(fc.constantFrom(...hostNames), { minLength: 40, maxLength: 40 })
      .map((places) => spread(world, places)),
  }),
);

type Verdicts = readonly (readonly [PortId, string])[];

/** What a walk says of the ports of other hosts. */
const elsewhere = (world: World, at: string, { receivers }: Walk): Verdicts =>
  [...receivers]
    .filter(([id]) => world.ports.get(id)?.host !== at)
    .map(([id, got]) => [id, got.outcome === 'passed' ? 'pass' : got.reason] as const)
    .sort();

/** What the other hosts say when each goes on with the walk, as `explain` asks them. */
function arrivalsOf(world: World, at: string, step: Step, trackers: Trackers, whole: Walk): Verdicts {
  const [first, ...others] = step.frames;
  if (first === undefined) return [];
  const reached = new Set(elsewhere(world, at, whole).map(([id]) => world.ports.get(id)?.host));
  return [...hostNames]
    .filter((name) => reached.has(name))
    .flatMap((name) => {
      const where = { host: name, port: step.sender, from: at };
      return elsewhere(world, at, walk(world, where, trackers, [first, ...others]));
    })
    .sort();
}

const tunnellings: readonly Tunnelling[] = [
  { type: 'geneve', family: 4 },
  { type: 'vxlan', family: 6 },
];

describe.each(tunnellings)('$type over IPv$family', (tunnelling) => {
  let hosts: TunnelledHosts;
  beforeAll(async () => {
    hosts = await TunnelledHosts.start(tunnelling);
  });
  afterAll(() => hosts.stop());

  test(`three switches do what the evaluator says (${worlds} worlds, seed ${seed})`, {
    timeout: 300_000 + 30_000 * worlds,
  }, async () => {
    let crossed = 0;
    const result = await fc.check(
      fc.asyncProperty(worldAndSteps, async ({ world: placed, steps }) => {
        const world = await hosts.enter(placed);
        let trackers: Trackers = new Map();
        for (const step of steps) {
          const [first, ...others] = step.frames;
          const at = world.ports.get(step.sender)?.host;
          if (first === undefined || at == null) continue;
          const walked = walk(world, { host: at, port: step.sender }, trackers, [first, ...others]);
          expect(arrivalsOf(world, at, step, trackers, walked)).toEqual(elsewhere(world, at, walked));
          trackers = walked.trackers;
          const [seen] = await hosts.run([step]);
          if (seen === undefined) throw new Error('an observation of each step');
          crossed += [...seen.delivered].filter((id) => world.ports.get(id)?.host !== at).length;
          const [expected, observed] = [textOfVerdict(walked), textOfObservation(seen)];
          if (expected === observed) continue;
          const places = [...world.ports.values()].map(({ id, host: place }) => `${id}@${place}`).join(' ');
          const way = walked.steps.map((one) => `${one.host} ${one.port} ${one.stage} ${one.reason}`);
          throw new Error(
            [
              worldText(world),
              places,
              stepText(step),
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
    expect(crossed).toBeGreaterThan(worlds);
  });

  test('the spoof matrix from the other host: zero escapes, zero losses', {
    timeout: 120_000 + 3_600_000 / everyNth,
  }, async () => {
    const [self, peer] = ['self', 'peer'] as [PortId, PortId];
    const whole = matrixWorld('tracked');
    const world: World = {
      ...whole,
      ports: new Map(
        [...whole.ports].map(([id, port]) => [id, id === self ? { ...port, host: 'there' } : port]),
      ),
    };
    await hosts.enter(world);
    const all: Entry[] = [arpMatrix(), ndMatrix(), ipMatrix()].flat();
    const entries = all.filter((_, at) => at % everyNth === 0);
    expect(entries.length).toBeGreaterThan(200);
    const wrong: string[] = [];
    for (const batch of batchesOf(entries)) {
      const seen = await hosts.runTogether(batch.map(({ frames }) => ({ sender: self, frames })));
      for (const [at, { name, expected }] of batch.entries()) {
        const observation = seen[at];
        const some = observation?.delivered.has(peer) === true || observation?.partial.has(peer) === true;
        const passed = observation?.delivered.has(peer) === true || (observation?.answers.length ?? 0) > 0;
        if (expected === 'pass' ? !passed : some) wrong.push(`${name}: expected ${expected}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

/** Rows in which no frame occurs twice; questions that a switch answers stand alone, since answers name no question. */
function batchesOf(entries: readonly Entry[]): Entry[][] {
  const batches: Entry[][] = [];
  let seen = new Set<string>();
  for (const entry of entries) {
    const keys = entry.frames.map((frame) => frame.toString('latin1'));
    const batch = batches.at(-1);
    if (
      batch === undefined ||
      batch.length >= 60 ||
      entry.expected === 'pass' ||
      keys.some((key) => seen.has(key))
    ) {
      batches.push([entry]);
      seen = new Set(keys);
    } else {
      batch.push(entry);
      for (const key of keys) seen.add(key);
    }
    if (entry.expected === 'pass') {
      batches.push([]);
      seen = new Set();
    }
  }
  return batches.filter((batch) => batch.length > 0);
}

describe.each<Tunnelling>([
  { type: 'geneve', family: 4 },
  { type: 'geneve', family: 6 },
  { type: 'vxlan', family: 4 },
])('forged into $type over IPv$family', ({ type, family }) => {
  const [a, b, c] = [mac('02:00:00:00:00:0a'), mac('02:00:00:00:00:0b'), mac('02:00:00:00:00:0c')];
  const stranger = mac('02:00:00:00:00:ee');
  const vtepAt = (at: number): string => `${family === 4 ? '192.0.2.' : '2001:db8:f::'}${at}`;
  const own = worldFrom({
    ports: [
      { id: 'a', mac: '02:00:00:00:00:0a', ips: ['10.0.0.10'], groups: ['open'] },
      { id: 'b', mac: '02:00:00:00:00:0b', ips: ['10.0.0.11'], groups: ['open'], host: 'there' },
      { id: 'c', mac: '02:00:00:00:00:0c', ips: ['10.0.0.12'], groups: ['open'], host: 'third' },
      { id: 'claimed', mac: '02:00:00:00:00:11', ips: ['10.0.0.13'], groups: ['open'], host: 'liar' },
      { id: 'e', mac: '02:00:00:00:00:0e', mode: 'off' },
      {
        id: 'd',
        network: 'n2',
        mac: '02:00:00:00:00:0b',
        ips: ['10.0.0.11'],
        groups: ['open'],
        host: 'there',
      },
    ],
    rules: wideGroup('open'),
  });
  /** A host that claims the address of another, first and last in the order of names, and this host's. */
  const world: World = {
    ...own,
    vteps: new Map([
      ['a-liar', { address: ip(vtepAt(2)), types: [type] }],
      ['liar', { address: ip(vtepAt(2)), types: [type] }],
      ['mirror', { address: ip(vtepAt(1)), types: [type] }],
    ]),
  };
  const keyOf = (id: string): number => {
    const port = world.ports.get(id as PortId);
    return port === undefined ? 0 : portKeyOf(port);
  };
  const vniOf = (network: string): number => networkKeyOf(network as NetworkId);
  let hosts: TunnelledHosts;
  let number = 0;
  beforeAll(async () => {
    hosts = await TunnelledHosts.start({ type, family });
    await hosts.enter(world);
  });
  afterAll(() => hosts.stop());

  interface Claim {
    /** Of the outer source. */
    readonly vtep?: number;
    readonly network?: string;
    /** Geneve's. */
    readonly options?: readonly Buffer[];
    readonly header?: GeneveHeader;
    /** VXLAN's. */
    readonly flags?: number;
    readonly from?: Mac;
    readonly to?: Mac;
    readonly tag?: boolean;
    /** Bytes of the inner frame. */
    readonly size?: number;
  }

  function encapsulated({ vtep = 2, network = 'n1', ...claim }: Claim, inner: Buffer): Buffer {
    const outer = {
      from: mac(macOf(1)),
      to: mac(macOf(0)),
      src: ip(vtepAt(vtep)),
      dst: ip(vtepAt(1)),
      vni: network === 'none' ? 0xabcdef : vniOf(network),
    };
    return type === 'geneve'
      ? inGeneve(outer, claim.options ?? [keyOption(keyOf('b'))], inner, claim.header)
      : inVxlan(outer, inner, claim.flags);
  }

  const innerOf = ({ from = b, to = a, tag = false, size }: Claim): Buffer => {
    number += 1;
    const frame = udpFrame({ from, to, src: ip('10.0.0.11'), dst: ip('10.0.0.10') }, 1000 + number, 2000);
    return (tag ? tagged(frame) : frame).subarray(0, size);
  };

  /** Whether a packet from host `there`, or from one that says so, to port `a` arrives. */
  async function arrives(claim: Claim) {
    const inner = innerOf(claim);
    await hosts.forge(encapsulated(claim, inner));
    const [seen] = await hosts.settled([{ frames: [inner] }]);
    return [...(seen?.delivered ?? [])];
  }

  const dropped = async (table: TableName, priority: number): Promise<number> => {
    const lines = (await hosts.flows('here', table)).split('\n');
    return lines
      .filter((line) => line.includes(`priority=${priority}`) && line.endsWith('actions=drop'))
      .reduce((sum, line) => sum + Number(/n_packets=(\d+)/.exec(line)?.[1] ?? 0), 0);
  };

  test('what a registered host may send arrives', async () => {
    expect(await arrives({})).toEqual(['a']);
  });

  const withKey = (...keys: readonly number[]): Claim => ({ options: keys.map(keyOption) });
  const forgeries: Readonly<Record<string, readonly [Claim, TableName, number]>> = {
    'from an address that is no endpoint': [{ vtep: 77 }, 'tunnel_host', 0],
    "from the receiver's own address": [{ vtep: 1 }, 'tunnel_host', 0],
    'in a network that nobody has': [{ network: 'none' }, 'tunnel_sender', 0],
    'in a network without a port here': [{ network: 'n2', ...withKey(keyOf('d')) }, 'tunnel_sender', 0],
    ...(type === 'geneve'
      ? ({
          'with a key of nobody': [withKey(0x7777), 'tunnel_sender', 100],
          'with the key 0': [withKey(0), 'tunnel_sender', 100],
          'without a key': [{ options: [] }, 'tunnel_sender', 100],
          'with the key of a port here': [withKey(keyOf('a')), 'tunnel_sender', 100],
          'with the key of an unguarded port here': [withKey(keyOf('e')), 'tunnel_sender', 100],
          'with the key of a port of a third host': [withKey(keyOf('c')), 'tunnel_sender', 100],
          'with the key of a port of another network': [withKey(keyOf('d')), 'tunnel_sender', 100],
          'with keys of the third host': [withKey(keyOf('c'), keyOf('c')), 'tunnel_sender', 100],
          'with another option that is none here': [
            { options: [geneveOption(0xff5c, 0x01, [keyOf('b')])] },
            'tunnel_sender',
            100,
          ],
        } as const)
      : ({
          'with a MAC of nobody': [{ from: stranger }, 'tunnel_sender', 100],
          'with the MAC of a port here': [{ from: a }, 'tunnel_sender', 100],
          'with the MAC of a port of a third host': [{ from: c }, 'tunnel_sender', 100],
        } as const)),
  };
  test('no forgery arrives, and each is counted', async () => {
    const places = [
      ...new Set(Object.values(forgeries).map(([, table, priority]) => `${table} ${priority}`)),
    ];
    const counts = async () => {
      await hosts.switchAt('here').appctl('revalidator/wait');
      const counted = new Map<string, number>();
      for (const place of places) {
        const [table = '', priority] = place.split(' ');
        counted.set(place, await dropped(table as TableName, Number(priority)));
      }
      return counted;
    };
    const before = await counts();
    for (const [name, [claim, table, priority]] of Object.entries(forgeries)) {
      expect(await arrives(claim), name).toEqual([]);
      const place = `${table} ${priority}`;
      before.set(place, (before.get(place) ?? 0) + 1);
    }
    expect(await counts()).toEqual(before);
  });

  const own8 = keyOption(keyOf('b'));
  const broken: Readonly<Record<string, Claim>> = {
    'an inner frame of 0 bytes': { size: 0 },
    'an inner frame of 13 bytes': { size: 13 },
    ...(type === 'geneve'
      ? {
          'a longer key': { options: [geneveOption(0xff5c, 0x81, [keyOf('b'), 0])] },
          'a key without bytes': { options: [geneveOption(0xff5c, 0x81, [])] },
          'a truncated option': { options: [own8], header: { optionWords: 1 } },
          'more options than bytes': { options: [own8], header: { optionWords: 63 } },
          'an unknown option that must be known': { options: [own8, geneveOption(0x0102, 0x80, [1])] },
          'another version': { header: { version: 1 } },
        }
      : { 'no VNI': { flags: 0 } }),
  };
  test.each(Object.entries(broken))('%s: nothing arrives', async (_, claim) => {
    await hosts.forge(encapsulated(claim, innerOf(claim)));
    expect(await hosts.received()).toEqual([]);
    // Open vSwitch drops malformed options by a megaflow for all of this host and network. It ends when nothing meets it.
    await hosts.switchAt('here').appctl('revalidator/purge');
    expect(await arrives({})).toEqual(['a']);
  });

  test('a host that claims the endpoint of another takes nothing over', async () => {
    // The ports of all hosts at an address may send from there.
    const ofLiar = { from: mac('02:00:00:00:00:11'), ...withKey(keyOf('claimed')) };
    expect(await arrives(ofLiar)).toEqual(['a']);
    const layer = { from: a, src: ip('10.0.0.10'), dst: ip('10.0.0.255') };
    const [toOne, toAll] = await hosts.run([
      { sender: 'a' as PortId, frames: [udpFrame({ ...layer, to: b, dst: ip('10.0.0.11') }, 1, 2)] },
      // The driver fails where a port gets two copies.
      { sender: 'a' as PortId, frames: [udpFrame({ ...layer, to: mac('ff:ff:ff:ff:ff:ff') }, 3, 4)] },
    ]);
    expect([...(toOne?.delivered ?? [])]).toEqual(['b']);
    expect([...(toAll?.delivered ?? [])].sort()).toEqual(['b', 'c', 'e']);
  });

  test.each(['a', 'e'] as const)("port %s's own tunnel packets go into no tunnel", async (id) => {
    const inner = innerOf({ from: a, to: b });
    const seen = await hosts.run(
      [1, 2, 3].flatMap((vtep) => {
        const frame = encapsulated({ vtep, ...withKey(keyOf('a')) }, inner);
        return [macOf(0), macOf(1), 'ff:ff:ff:ff:ff:ff'].map((to) => {
          Buffer.from(to.replaceAll(':', ''), 'hex').copy(frame, 0);
          return { sender: id as PortId, frames: [Buffer.from(frame)] };
        });
      }),
    );
    // An unguarded port's own broadcast reaches unguarded ports as it is; nobody gets the inner frame.
    for (const each of seen) expect([...each.delivered].filter((port) => port !== 'e')).toEqual([]);
    const [got] = await hosts.settled([{ frames: [inner] }]);
    expect([...(got?.delivered ?? [])]).toEqual([]);
  });

  test('for a port of another host: no way from tunnel to tunnel', async () => {
    expect(await arrives({ to: b })).toEqual([]);
    expect(await arrives({ to: c })).toEqual([]);
    expect(await arrives({ to: mac('ff:ff:ff:ff:ff:ff') })).toEqual(['a', 'e']);
  });

  test('the record of a connection names the port of the other host', async () => {
    const layer = { from: b, to: a, src: ip('10.0.0.11'), dst: ip('10.0.0.10') };
    const [seen] = await hosts.run([
      { sender: 'b' as PortId, frames: [tcpFrame(layer, 1000, 80, tcpFlags.syn)] },
    ]);
    expect([...(seen?.delivered ?? [])]).toEqual(['a']);
    const record = ((BigInt(keyOf('a')) << 32n) | BigInt(keyOf('b'))).toString(16);
    for (const name of [host, 'there'] as const) {
      const entries = await hosts.switchAt(name).appctl('dpctl/dump-conntrack');
      expect(
        entries
          .split('\n')
          .filter((line) => line.includes('dport=80'))
          .join(),
      ).toContain(`labels=0x${record}`);
    }
  });
});
