/**
 * A host follows only what its plugged ports need. After any history of plugs, unplugs and changes it has the flows of a
 * host that has just started. It also has those of a host that follows everything. At each moment its flows are those of
 * one revision of the store, however slowly the store lists what was added: never half of one and half of another.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { PluggedNeeds } from '../../src/agent/interest/plugged-needs.ts';
import { Topology } from '../../src/agent/interest/topology.ts';
import { keys } from '../../src/model/keys.ts';
import { tunnelTypes } from '../../src/model/vtep.ts';
import { canonicalBody } from '../../src/openflow/index.ts';
import { Pipeline } from '../../src/pipeline/flow-derivation.ts';
import type { NetworkId, PortId, World } from '../../src/policy/world.ts';
import type { Snapshot, Store, Write } from '../../src/store/contract.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { zone } from '../lib/keys.ts';
import { putQosPolicy, withPortMarks } from '../lib/records.ts';
import { SlowStore } from '../lib/slow-store.ts';
import { tunnelledWorld } from './arbitrary-tunnels.ts';
import { recordsOf } from './world-records.ts';
import { host as ownHost } from './worlds.ts';

const log = pino({ level: 'silent' });
const newPipeline = () => new Pipeline({ host: ownHost, abilities: { answersNd: true, meterSpread: 1 } });

function flowsOf({ desired }: Pipeline): string {
  const flows = [...desired.keys()].map((key) => {
    const flow = desired.get(key);
    return `${key} ${flow === undefined ? 'none' : `${flow.cookie} ${canonicalBody(flow)}`}`;
  });
  return flows.sort().join('\n');
}

/** The same everywhere, as if the switch had recorded them. */
class Numbers {
  readonly #networks: readonly NetworkId[];
  readonly #ports: readonly PortId[];
  constructor(worlds: readonly World[]) {
    this.#networks = [...new Set(worlds.flatMap(({ networks }) => [...networks.keys()]))];
    this.#ports = [...new Set(worlds.flatMap(({ ports }) => [...ports.keys()]))];
  }
  get ports(): readonly PortId[] {
    return this.#ports;
  }
  /** What the switch says where these ports are local. */
  set({ facts }: Pipeline, topology: Topology, locals: readonly PortId[]): void {
    for (const [at, type] of tunnelTypes.entries()) facts.tunnels.set(type, 900 + at);
    for (const [id] of facts.ofports.entries()) if (!locals.includes(id)) facts.ofports.delete(id);
    for (const id of locals) {
      const network = topology.networkOf(id);
      if (network !== undefined) facts.zones.set(network, zone(this.#networks.indexOf(network) + 1));
      facts.ofports.set(id, this.#ports.indexOf(id) + 1);
    }
  }
}

/** Follows what its ports need, as an agent does between its switch and the store. */
class Host {
  readonly pipeline = newPipeline();
  readonly topology = new Topology(this.pipeline.facts, () => undefined);
  readonly needs: PluggedNeeds;
  readonly #numbers: Numbers;
  plugged: PortId[] = [];

  constructor(store: Store, numbers: Numbers, lingerTime: number) {
    this.#numbers = numbers;
    const { topology } = this;
    const { facts } = this.pipeline;
    const onChange = () => undefined;
    this.needs = new PluggedNeeds({ store, log, topology, facts, readers: [], lingerTime, onChange });
  }

  [Symbol.dispose](): void {
    this.needs.close();
  }

  get locals(): PortId[] {
    return [...this.pipeline.facts.ofports.entries()].map(([id]) => id).sort();
  }

  round(): void {
    this.needs.follow(this.plugged, []);
    const isHere = (id: PortId) => this.topology.networkOf(id) !== undefined && this.needs.isReady(id);
    this.#numbers.set(this.pipeline, this.topology, this.plugged.filter(isHere));
    this.pipeline.run();
  }

  /** Until it has all that its ports need. */
  async settle(): Promise<void> {
    do {
      await nextTurn();
      this.round();
    } while (!this.needs.isComplete);
    this.round();
  }
}

class OpenStore extends MemoryStore {
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The flows of a host that follows everything, where these ports are local. */
function flowsOfAll(snapshot: Snapshot, numbers: Numbers, locals: readonly PortId[]): string {
  const pipeline = newPipeline();
  const topology = new Topology(pipeline.facts, () => undefined);
  topology.reset(snapshot);
  numbers.set(pipeline, topology, locals);
  pipeline.run();
  return flowsOf(pipeline);
}

/** Some ports and a network have a QoS policy, and some ports have none any more. */
function withPolicies(records: ReadonlyMap<string, string>, policy: string): Map<string, string> {
  const changed = [...records].map(([key, value], at): [string, string] => {
    const has =
      keys.port.parse(key) !== null ? at % 3 === 0 : keys.network.parse(key) !== null && at % 2 === 0;
    return [key, has ? JSON.stringify({ ...(JSON.parse(value) as object), qos_policy_id: policy }) : value];
  });
  const isMark = (key: string) => keys.portNetwork.parse(key) !== null;
  return new Map(changed.filter(([key]) => !isMark(key)));
}

const policies = ['gold', 'slow'].map((id) =>
  putQosPolicy(id, [{ type: 'bandwidth_limit', max_kbps: 1000, max_burst_kbps: 1000, direction: 'egress' }]),
);

const draws = fc.infiniteStream(fc.nat());
const histories = fc.record({ last: tunnelledWorld, other: tunnelledWorld, draws });

/** Of a key that has records of different parents in the two worlds, those of the first: a record never moves. */
function withoutMoves(wanted: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>) {
  const named = (key: string): string => `${key.split('/')[0]} ${key.split('/').at(-1)}`;
  const known = new Set([...wanted.keys()].map(named));
  return new Map([...other].filter(([key]) => wanted.has(key) || !known.has(named(key))));
}

const options = (numRuns: number) => ({
  numRuns: Number(process.env.PORTCULLIS_PROOF_INTEREST ?? numRuns),
  seed: Number(process.env.PORTCULLIS_PROOF_SEED ?? 1),
  endOnFailure: true,
});

interface Walk {
  readonly last: World;
  readonly other: World;
  readonly draws: fc.Stream<number>;
}

/** `onRound` hears of each round, with the store's states up to then. */
async function walk(
  { last, other, draws: stream }: Walk,
  onRound: (host: Host, numbers: Numbers, states: readonly Snapshot[]) => void,
): Promise<void> {
  const draw = (most: number): number => (stream.next().value ?? 0) % most;
  const wanted = withPolicies(recordsOf(last), 'gold');
  const former = withoutMoves(wanted, withPolicies(recordsOf(other), 'slow'));
  const all = [...new Set([...wanted.keys(), ...former.keys()])];
  const numbers = new Numbers([last, other]);
  await using store = new OpenStore();
  const slow = new SlowStore(store);
  const lingerTime = draw(2) === 0 ? 0 : 3_600_000;
  using host = new Host(slow, numbers, lingerTime);
  const kinds = [
    keys.bridge,
    keys.rule,
    keys.addressGroup,
    keys.qosPolicy,
    keys.group,
    keys.port,
    keys.portNetwork,
  ];
  const slowKinds = kinds.filter(() => draw(2) === 0).map(({ prefix }) => prefix);
  const states: Snapshot[] = [await store.snapshot([''])];
  const write = async (...changes: readonly (readonly [string, string | undefined])[]): Promise<void> => {
    const writes = changes.map(
      ([key, value]): Write => (value === undefined ? { op: 'delete', key } : { op: 'put', key, value }),
    );
    await store.txn([], withPortMarks(writes));
    states.push(await store.snapshot(['']));
  };
  /** A value of some key, often that of a plugged port. */
  const drawn = (): readonly [string, string | undefined] => {
    const plugged = host.plugged[draw(2 * host.plugged.length + 1)];
    const own = all.find((one) => keys.port.parse(one)?.id === plugged);
    const key = own ?? all[draw(all.length)] ?? '';
    return [
      key,
      [former, wanted, wanted, new Map<string, string>()][draw(own === undefined ? 4 : 3)]?.get(key),
    ];
  };
  await store.txn([], policies);
  for (const key of all) if (draw(3) > 0) await write([key, (draw(2) === 0 ? former : wanted).get(key)]);
  host.plugged = numbers.ports.filter(() => draw(3) === 0);
  await host.settle();
  for (let step = 0; step < 80; step++) {
    const port = numbers.ports[draw(numbers.ports.length)];
    const what = draw(16);
    if (what < 2 && port !== undefined && !host.plugged.includes(port)) host.plugged.push(port);
    else if (what === 2) host.plugged.splice(draw(host.plugged.length + 1), 1);
    else if (what < 7) await write(drawn());
    else if (what === 7) await write(...new Map([drawn(), drawn(), drawn()]));
    else if (what < 10) slow.hold((prefix) => slowKinds.some((kind) => prefix.startsWith(kind)));
    else if (what === 10) slow.goOn();
    else {
      await nextTurn();
      host.round();
      onRound(host, numbers, states);
    }
  }
  slow.goOn();
  for (const key of all) await write([key, wanted.get(key)]);
  await host.settle();
  onRound(host, numbers, states);

  using fresh = new Host(store, numbers, 0);
  fresh.plugged = [...host.plugged];
  await fresh.settle();
  expect(host.locals).toEqual(fresh.locals);
  expect(flowsOf(host.pipeline)).toBe(flowsOf(fresh.pipeline));
  const everything = await store.snapshot(['']);
  const known = new Set(everything.entries.map(({ key }) => keys.port.parse(key)?.id));
  expect(host.locals).toEqual(host.plugged.filter((id) => known.has(id)).sort());
  expect(flowsOf(host.pipeline)).toBe(flowsOfAll(everything, numbers, host.locals));
}

test('any history of plugs and changes ends in the flows of a new host, and of one that follows everything', async () => {
  await fc.assert(
    fc.asyncProperty(histories, (history) => walk(history, () => undefined)),
    options(25),
  );
}, 600_000);

test('at each moment the flows are those of one revision, and none goes back', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      let reached = 0;
      await walk(history, (host, numbers, states) => {
        const flows = flowsOf(host.pipeline);
        const isIn = (at: number): boolean => {
          const state = states[at];
          return state !== undefined && flowsOfAll(state, numbers, host.locals) === flows;
        };
        let at = states.length - 1;
        while (at >= reached && !isIn(at)) at--;
        expect(at, `no revision has these flows of ${host.locals.join(', ')}`).toBeGreaterThanOrEqual(
          reached,
        );
        reached = at;
      });
    }),
    options(10),
  );
}, 600_000);
