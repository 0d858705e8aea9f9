/** Another program changes the switch under a live connection: the agent notices, corrects, counts and logs it. */
import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DriftKind } from '../../src/agent/switch/drift.ts';
import { defaultRules, networkWrites, putPort, putRule } from '../lib/records.ts';
import { until } from '../lib/wait.ts';
import { type Lab, startLab } from './lab.ts';

let lab: Lab;
let before: readonly string[];
let bridge: string;

beforeEach(async () => {
  lab = await startLab({ dummy: true, agent: { lookInterval: 200 } });
  bridge = lab.bridge;
  await lab.write(
    ...networkWrites(),
    ...defaultRules('g').map(putRule),
    putPort({ id: 'p1', mac: '02:00:00:00:00:01', ips: ['10.0.0.1'] }),
    putPort({ id: 'p2', mac: '02:00:00:00:00:02', ips: ['10.0.0.2', 'fd00::2'] }),
  );
  await lab.startAgent();
  await lab.plug('p1', 'tap1', 11);
  await lab.plug('p2', 'tap2', 12);
  await lab.bound('p1', 'ACTIVE');
  await lab.bound('p2', 'ACTIVE');
  await lab.sync();
  before = await lab.flows();
});
afterEach(() => lab.stop());

const ofctl = (...args: string[]) => {
  const [command = '', ...rest] = args;
  return lab.switch.ofctl(command, lab.switch.mgmt(bridge), ...rest);
};

/** Sorted, since the switch lists them in the order of a hash table. */
const meters = async () =>
  (await ofctl('dump-meters'))
    .split(/(?=^meter=)/m)
    .filter((text) => text.startsWith('meter='))
    .map((text) => text.trim())
    .toSorted();

const drift = (kind: DriftKind) => lab.agent.status.drift[kind];
const noDrift = () =>
  expect(Object.entries(lab.agent.status.drift).filter(([, count]) => count !== 0)).toEqual([]);
const told = (kind: DriftKind) =>
  lab.logged('somebody changed the switch').filter((line) => line.kind === kind);

/** The agent corrects the change before it answers a later sync. */
async function mended(kind: DriftKind, count = 1): Promise<void> {
  await lab.sync();
  expect(await lab.flows()).toEqual(before);
  expect(drift(kind)).toBeGreaterThanOrEqual(count);
  expect(told(kind).length).toBeGreaterThan(0);
}

describe('flows', () => {
  const changes: Readonly<Record<string, readonly string[]>> = {
    'all removed': ['del-flows'],
    'a table emptied': ['del-flows', 'table=5'],
    'one removed': ['--strict', 'del-flows', 'table=51,priority=0'],
    'a permit that outranks all': ['add-flow', 'table=0,priority=65000,actions=NORMAL'],
    'a drop that outranks all': ['add-flow', 'table=0,priority=65000,in_port=11,actions=drop'],
    'one in a table that the pipeline does not have': ['add-flow', 'table=99,actions=drop'],
    'other actions': ['mod-flows', 'table=0,in_port=11,actions=drop'],
    'another cookie': ['--strict', 'add-flow', 'table=51,priority=0,cookie=0x77,actions=resubmit(,54)'],
    'a time limit': ['--strict', 'add-flow', 'table=51,priority=0,idle_timeout=600,actions=drop'],
    'a match that nobody here can read': ['add-flow', 'table=5,priority=9,mpls,mpls_label=5,actions=drop'],
  };
  for (const [name, [first = '', ...rest]] of Object.entries(changes)) {
    test(`${name}: corrected, counted, logged; a sync waits for it`, async () => {
      const at = lab.switch.mgmt(bridge);
      const args = first === '--strict' ? [first, rest[0] ?? '', at, ...rest.slice(1)] : [first, at, ...rest];
      await lab.switch.ofctl(...args);
      await mended('flow');
      expect(await lab.sync()).toEqual({ cut: 0, cut_total: 0 });
    });
  }

  test('are put right without anybody asking', async () => {
    await ofctl('del-flows');
    await until(async () => (await lab.flows()).length === before.length, { timeout: 1000 });
    expect(await lab.flows()).toEqual(before);
  });

  test('changes of the agent itself are not drift, whatever their outcome', async () => {
    for (let i = 0; i < 5; i++) {
      await lab.write(putPort({ id: 'p1', mac: '02:00:00:00:00:01', ips: [`10.0.0.${50 + i}`] }));
      await lab.sync();
    }
    await lab.unplug('tap2');
    await lab.sync();
    await lab.plug('p2', 'tap2', 12);
    await delay(600);
    await lab.sync();
    noDrift();
  });

  test('more than a monitor holds: the switch is read again', async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `table=7,priority=3,reg9=${i},actions=drop`);
    const at = lab.switch.mgmt(bridge);
    await writeFile(`${lab.switch.dir}/many`, lines.join('\n'));
    await lab.switch.ofctl('add-flows', at, `${lab.switch.dir}/many`);
    await until(async () => (await lab.flows()).length === before.length, { timeout: 20_000 });
    await mended('flow', lines.length / 2);
  });

  test('repeated changes are corrected at a limited rate, and the log explains them', async () => {
    for (let i = 0; i < 6; i++) {
      const found = drift('flow');
      await ofctl('del-flows');
      await until(() => drift('flow') > found);
    }
    await mended('flow', 6 * before.length);
    expect(lab.logged('something else changes the switch').length).toBeGreaterThan(0);
    expect(lab.agent.status.failures).toBe(0);
  });
});

describe('meters and groups', () => {
  test('meters removed come back', async () => {
    const had = await meters();
    expect(had.length).toBeGreaterThan(0);
    await ofctl('del-meters');
    await until(async () => JSON.stringify(await meters()) === JSON.stringify(had));
    await mended('meter');
  });

  test('a meter changed is put right', async () => {
    const had = await meters();
    const [, number = ''] = /meter=(\d+)/.exec(had[0] ?? '') ?? [];
    await ofctl('mod-meter', `meter=${number},pktps,band=type=drop,rate=1`);
    await until(async () => JSON.stringify(await meters()) === JSON.stringify(had));
    await mended('meter');
  });

  test('a meter changed between two syncs is correct when the second is answered', async () => {
    const had = await meters();
    const [, number = ''] = /meter=(\d+)/.exec(had[0] ?? '') ?? [];
    for (let turn = 0; turn < 3; turn++) {
      await lab.sync();
      await ofctl('mod-meter', `meter=${number},pktps,band=type=drop,rate=1`);
      await lab.sync();
      expect(await meters()).toEqual(had);
    }
  });

  test('a meter and a group of somebody else go', async () => {
    const had = await meters();
    await ofctl('add-meter', 'meter=3,pktps,band=type=drop,rate=1');
    const both = [
      'group add group_id=7,type=all,bucket=output:11',
      'flow add table=0,priority=65000,in_port=12,actions=group:7',
    ];
    await writeFile(`${lab.switch.dir}/both`, both.join('\n'));
    await ofctl('bundle', `${lab.switch.dir}/both`);
    await until(async () => !(await ofctl('dump-groups')).includes('group_id=7'));
    await until(async () => JSON.stringify(await meters()) === JSON.stringify(had));
    await mended('group');
    await mended('meter');
  });
});

describe('the bridge', () => {
  const shaped = (column: string, value: string) =>
    until(async () => (await lab.switch.vsctl('get', 'Bridge', bridge, column)).trim() === value, {
      what: `${column} is ${value}`,
    });

  test('made standalone is secure again, with all flows', async () => {
    await lab.switch.vsctl('set-fail-mode', bridge, 'standalone');
    await mended('fail-mode');
    await shaped('fail_mode', 'secure');
  });

  test('made standalone and secure again by another program has all flows', async () => {
    await lab.switch.vsctl('set-fail-mode', bridge, 'standalone', '--', 'set-fail-mode', bridge, 'secure');
    await lab.switch.vsctl('del-fail-mode', bridge);
    await lab.switch.vsctl('set-fail-mode', bridge, 'secure');
    await lab.sync();
    await shaped('fail_mode', 'secure');
    expect(await lab.flows()).toEqual(before);
  });

  test('with a controller has none again, and all flows', async () => {
    await lab.switch.vsctl('set-controller', bridge, 'tcp:127.0.0.1:1');
    await mended('controller');
    await shaped('controller', '[]');
    expect(told('controller')[0]?.value).toEqual(['tcp:127.0.0.1:1']);
  });

  test('without OpenFlow 1.5 has it again', async () => {
    await lab.switch.vsctl('set', 'Bridge', bridge, 'protocols=OpenFlow10,OpenFlow13');
    await lab.sync();
    expect(drift('protocols')).toBe(1);
    expect(await lab.flows()).toEqual(before);
  });

  test('with a port at another number has its flows for that number', async () => {
    await lab.unplug('tap1');
    await lab.plug('p1', 'tap1', 21);
    await until(async () => (await lab.flows('table=0,in_port=21')).length === 1);
    await lab.sync();
    expect(await lab.flows('table=0,in_port=11')).toEqual([]);
    noDrift();
  });
});
