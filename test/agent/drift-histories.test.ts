/**
 * Generated histories of a switch that others change while the agent changes it too. After each burst the
 * first sync finds flows, meters and the bridge as they are without interference.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultRules, networkWrites, putPort, putRule } from '../lib/records.ts';
import { until } from '../lib/wait.ts';
import { type Lab, startLab } from './lab.ts';

const histories = Number(process.env.PORTCULLIS_PROOF_HISTORIES ?? 30);
const seed = Number(process.env.PORTCULLIS_PROOF_SEED ?? 1);

/** Changes of another program, with numbers that are taken modulo the number of choices. */
interface Deed {
  readonly kind: keyof typeof deeds;
  readonly which: number;
  readonly how: number;
}

let lab: Lab;
/** Flows without interference, by the store's state, and meters, which all states share. */
const pristine: (readonly string[])[] = [];
let meters: string;
let state = 0;

const states = [['10.0.0.1'], ['10.0.0.31', 'fd00::31'], ['10.0.0.41']] as const;
const enter = (next: number): Promise<void> => {
  state = next % states.length;
  return lab.write(putPort({ id: 'p1', mac: '02:00:00:00:00:01', ips: states[state] ?? [] }));
};

const ofctl = (...args: string[]) => lab.switch.ofctl(...args);
const bridgeIs = (...args: string[]) => lab.switch.vsctl(...args);
/** Sorted: the switch lists meters in the order of a hash table, which depends on when they came. */
const dumpMeters = async (): Promise<string> => {
  const text = (await ofctl('dump-meters', lab.switch.mgmt(lab.bridge))).replace(/.*OFPST.*\n/g, '');
  return text.trim().split(/\n\n+/).sort().join('\n\n');
};

/** A present flow as ovs-ofctl reads it: table, priority and match. */
function flowAt(which: number): string {
  const lines = pristine[state] ?? [];
  const line = lines[which % lines.length] ?? '';
  return line
    .replace(/^cookie=\S+ /, '')
    .replace(/ actions=.*$/, '')
    .replaceAll(', ', ',')
    .replace(/ /g, ',');
}
const tableOf = (which: number): string => /table=\d+/.exec(flowAt(which))?.[0] ?? 'table=0';

const deeds = {
  'all flows go': (at: string) => ofctl('del-flows', at),
  'a table is emptied': (at: string, which: number) => ofctl('del-flows', at, tableOf(which)),
  'a flow goes': (at: string, which: number) => ofctl('--strict', 'del-flows', at, flowAt(which)),
  'a flow does something else': (at: string, which: number) =>
    ofctl('--strict', 'mod-flows', at, `${flowAt(which)},actions=drop`),
  'a flow is somebody else’s': (at: string, which: number, how: number) =>
    ofctl('add-flow', at, `${flowAt(which)},cookie=${how},actions=output:1`),
  'a flow ends by itself': (at: string, which: number) =>
    ofctl('add-flow', at, `${flowAt(which)},hard_timeout=1,actions=drop`),
  'a flow outranks all': (at: string, which: number, how: number) =>
    ofctl('add-flow', at, `${tableOf(which)},priority=65000,reg9=${how},actions=NORMAL`),
  'meters go': (at: string) => ofctl('del-meters', at),
  'there is another meter': (at: string, _: number, how: number) =>
    ofctl('add-meter', at, `meter=${1 + (how % 50)},pktps,band=type=drop,rate=1`),
  'there is a group': (at: string, _: number, how: number) =>
    ofctl('add-group', at, `group_id=${how},type=all,bucket=output:1`),
  standalone: () => bridgeIs('set-fail-mode', lab.bridge, 'standalone'),
  'no fail mode': () => bridgeIs('del-fail-mode', lab.bridge),
  'a controller': () => bridgeIs('set-controller', lab.bridge, 'tcp:127.0.0.1:1'),
  'no controller': () => bridgeIs('del-controller', lab.bridge),
  'other versions': () => bridgeIs('set', 'Bridge', lab.bridge, 'protocols=OpenFlow10,OpenFlow13'),
  'a port is plugged anew': async () => {
    await lab.unplug('tap2');
    return lab.plug('p2', 'tap2', 12);
  },
  'the store changes': (_at: string, _which: number, how: number) => enter(how),
  'the store changes again': (_at: string, _which: number, how: number) => enter(how),
} as const satisfies Record<string, (at: string, which: number, how: number) => Promise<unknown>>;

const kinds = Object.keys(deeds) as (keyof typeof deeds)[];
const deedArbitrary: fc.Arbitrary<Deed> = fc.record({
  kind: fc.constantFrom(...kinds),
  which: fc.nat(10_000),
  how: fc.integer({ min: 1, max: 10_000 }),
});

beforeAll(async () => {
  lab = await startLab({ dummy: true, agent: { lookInterval: 100 } });
  await lab.write(
    ...networkWrites(),
    ...defaultRules('g').map(putRule),
    putPort({ id: 'p2', mac: '02:00:00:00:00:02', ips: ['10.0.0.2', 'fd00::2'] }),
  );
  await enter(0);
  await lab.startAgent();
  await lab.plug('p1', 'tap1', 11);
  await lab.plug('p2', 'tap2', 12);
  await lab.bound('p1', 'ACTIVE');
  await lab.bound('p2', 'ACTIVE');
  for (const at of states.keys()) {
    await enter(at);
    await lab.sync();
    pristine.push(await lab.flows());
  }
  meters = await dumpMeters();
});
afterAll(() => lab.stop());

/**
 * All changes of a burst at once. A tool that fails because another has just changed the bridge has changed
 * nothing.
 */
async function burst(deedsOfIt: readonly Deed[]): Promise<void> {
  const at = lab.switch.mgmt(lab.bridge);
  await Promise.allSettled(deedsOfIt.map(({ kind, which, how }) => deeds[kind](at, which, how)));
}

async function history(bursts: readonly (readonly Deed[])[]): Promise<void> {
  for (const each of bursts) {
    await burst(each);
    await lab.bound('p2', 'ACTIVE');
    await lab.sync();
    expect(await lab.flows()).toEqual(pristine[state]);
    const shape = await bridgeIs('get', 'Bridge', lab.bridge, 'fail_mode', 'controller');
    expect(shape.trim().split('\n')).toEqual(['secure', '[]']);
    // No monitor reports these, so the next look finds them.
    await until(async () => (await dumpMeters()) === meters, { what: 'the meters are as before' });
    const groups = () => ofctl('dump-groups', lab.switch.mgmt(lab.bridge));
    await until(async () => !(await groups()).includes('group_id'), { what: 'there is no group' });
  }
}

test(`whatever others do, a sync finds the switch as it should be (${histories} histories, seed ${seed})`, {
  timeout: 600_000,
}, async () => {
  // Without interference nothing is found.
  expect(Object.values(lab.agent.status.drift).every((count) => count === 0)).toBe(true);
  const bursts = fc.array(fc.array(deedArbitrary, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 3,
  });
  await fc.assert(fc.asyncProperty(bursts, history), { numRuns: histories, seed, endOnFailure: true });
  expect(lab.agent.status.drift.flow).toBeGreaterThan(0);
  expect(lab.agent.status.drift.meter).toBeGreaterThan(0);
  expect(lab.agent.status.drift['fail-mode']).toBeGreaterThan(0);
});
