/** Flows that the switch itself adds by `learn` are neither compared nor removed, not even after a reconnect. */
import { type Logger, pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Applier } from '../../src/agent/flows/applier.ts';
import { Drift } from '../../src/agent/switch/drift.ts';
import { Session } from '../../src/openflow/index.ts';
import { Pipeline } from '../../src/pipeline/flow-derivation.ts';
import { ip, mac, udpFrame } from '../lib/frames.ts';
import { type Switch, startSwitch } from '../lib/switch.ts';
import { until } from '../lib/wait.ts';

const bridge = 'br0';
/** No table of the pipeline. */
const learning = 150;
const learner = `table=0,priority=65000,in_port=1,actions=learn(table=${learning},NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[])`;

let made: Switch;
let session: Session;
let log: Logger;
beforeEach(async () => {
  log = pino({ level: 'silent' });
  made = await startSwitch({ dummy: true });
  await made.addBridge(bridge);
  await made.addDummyPorts(bridge, [{ name: 'p1', ofport: 1 }]);
  session = Session.connect({ target: made.mgmt(bridge) });
  await session.ready();
});
afterEach(async () => {
  await session.close();
  await made.stop();
});

const learned = async (): Promise<readonly string[]> =>
  (await made.ofctl('--no-stats', 'dump-flows', made.mgmt(bridge), `table=${learning}`))
    .split('\n')
    .filter((line) => line.includes('actions='));

/** The flows of an empty world, and one that the switch has learned since. */
async function withLearnedFlow(
  switchOwned: ReadonlySet<number>,
): Promise<{ applier: Applier; drift: Drift }> {
  const pipeline = new Pipeline();
  const drift = new Drift(log);
  const applier = new Applier({ desired: pipeline.desired, log, drift, switchOwned });
  pipeline.run();
  await applier.apply(session);
  await made.ofctl('add-flow', made.mgmt(bridge), learner);
  const between = {
    from: mac('02:00:00:00:00:01'),
    to: mac('02:00:00:00:00:02'),
    src: ip('10.0.0.1'),
    dst: ip('10.0.0.2'),
  };
  await made.control.receive('p1', [udpFrame(between, 1, 2)]);
  await until(async () => (await learned()).length === 1, { what: 'the switch learns a flow' });
  return { applier, drift };
}

async function reconnect(applier: Applier): Promise<void> {
  await session.close();
  session = Session.connect({ target: made.mgmt(bridge) });
  await session.ready();
  applier.onConnected(session);
  await applier.apply(session);
}

test('a learned flow in a table of the switch survives looks and a reconnect, and is no drift', async () => {
  const { applier, drift } = await withLearnedFlow(new Set([learning]));
  const before = await learned();
  await made.ofctl('--strict', 'del-flows', made.mgmt(bridge), 'table=0,priority=65000,in_port=1');
  await applier.look(session);
  expect(applier.settled).toBe(true);
  await reconnect(applier);
  expect(await learned()).toEqual(before);
  expect(drift.counts.flow).toBe(0);
});

test('in a table of the controller it is removed at the next reconnect, like all undesired flows', async () => {
  const { applier } = await withLearnedFlow(new Set());
  await reconnect(applier);
  expect(await learned()).toEqual([]);
});
