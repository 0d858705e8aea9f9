/** An agent follows what its plugged ports need, on a real switch: nothing is half there, and nothing goes by accident. */
import { afterEach, expect, test } from 'vitest';
import { keys } from '../../src/model/keys.ts';
import { echoFrame, ip, mac } from '../lib/frames.ts';
import { networkWrites, putPort, putRule, ruleRecord } from '../lib/records.ts';
import { SlowStore } from '../lib/slow-store.ts';
import { until } from '../lib/wait.ts';
import { type Lab, startLab } from './lab.ts';

const macOf = (n: number) => `02:00:00:00:00:0${n}`;
const port = (n: number, group: string, last = n) =>
  putPort({ id: `p${n}`, mac: macOf(n), ips: [`10.0.0.${last}`], groups: [group] });

let lab: Lab;
let slow: SlowStore;
afterEach(() => lab.stop());

async function start(agent: { readonly lingerTime?: number } = {}): Promise<void> {
  lab = await startLab({
    dummy: true,
    agent,
    agentStore: (store) => {
      slow = new SlowStore(store);
      return slow;
    },
  });
  // Less than everything, otherwise nothing would be tracked.
  const rules = ['g', 'web'].flatMap((group) =>
    (['ingress', 'egress'] as const).map((way) =>
      putRule(ruleRecord(`${group}-${way}`, group, way, { protocol: 'icmp' })),
    ),
  );
  await lab.write(...networkWrites('n1'), ...networkWrites('n2', 2), ...rules, port(1, 'g'), port(2, 'web'));
  await lab.startAgent();
  await lab.plug('p1', 'tap1', 11);
  await lab.bound('p1', 'ACTIVE');
  await lab.sync();
}

const entry = (ofport: number) => lab.flows(`table=0,in_port=${ofport}`);
const zones = async () => await lab.switch.vsctl('get', 'Bridge', lab.bridge, 'external_ids');

test('a port has no flow and is not ACTIVE before its rules are known; others go on meanwhile', async () => {
  await start();
  slow.hold((prefix) => prefix === keys.rule.under('web'));
  await lab.plug('p2', 'tap2', 12);
  await until(() => slow.awaited.length > 0, { what: 'the agent asks for the rules' });
  await lab.write(port(1, 'g', 7));
  await until(async () => (await lab.flows()).join().includes('10.0.0.7'), {
    what: 'the other port changes',
  });
  expect(await entry(12)).toEqual([]);
  expect(await lab.binding('p2')).toBe(null);
  // What is asked now counts on the port.
  const target = await lab.setTarget();
  await lab.write(port(1, 'g', 8));
  await until(async () => (await lab.flows()).join().includes('10.0.0.8'), { what: 'a later round' });
  expect(await lab.reached(target)).toBe(null);
  slow.goOn();
  await until(() => lab.reached(target), { what: 'the sync is answered' });
  expect(await entry(12)).toHaveLength(1);
  await lab.bound('p2', 'ACTIVE');
});

test('flows of an earlier agent stay while a new one waits for the store', async () => {
  await start();
  const before = await lab.flows();
  await lab.stopAgent();
  const agent = lab.makeAgent();
  slow.hold((prefix) => prefix.startsWith(keys.rule.prefix));
  await agent.start();
  await until(() => slow.awaited.length > 0, { what: 'the agent asks for the rules' });
  await lab.switch.vsctl('set', 'Interface', 'tap1', 'external_ids:other=thing');
  await lab.write(port(1, 'g', 9));
  expect([agent.status.rounds, agent.status.flowsChanged]).toEqual([0, 0]);
  expect(await lab.flows()).toEqual(before);
  await lab.write(port(1, 'g'));
  slow.goOn();
  await agent.firstApplied;
  await lab.sync();
  expect(agent.status.flowsChanged).toBe(0);
  expect(await lab.flows()).toEqual(before);
});

test('a port that went while no agent ran is DOWN afterwards', async () => {
  await start();
  await lab.stopAgent();
  await lab.unplug('tap1');
  await lab.startAgent();
  await lab.bound('p1', 'DOWN');
});

test('a network without a port here costs nothing, and one that had none for a while is forgotten', async () => {
  await start({ lingerTime: 300 });
  await lab.plug('p2', 'tap2', 12);
  await lab.bound('p2', 'ACTIVE');
  await lab.sync();
  const link = { from: mac(macOf(1)), to: mac(macOf(2)), src: ip('10.0.0.1'), dst: ip('10.0.0.2') };
  await lab.switch.inject('tap1', [echoFrame(link, 'request')]);
  const zone = Number(/portcullis-zone-n1="(\d+)"/.exec(await zones())?.[1]);
  const connections = () => lab.switch.control.dumpConntrack(zone);
  expect(await connections()).toContain('10.0.0.2');

  await lab.unplug('tap1');
  await lab.unplug('tap2');
  await lab.bound('p2', 'DOWN');
  await until(async () => !(await zones()).includes('portcullis-zone-n1'), {
    what: 'the zone is given back',
  });
  expect(await connections()).toContain('10.0.0.2');
  expect(await lab.agent.conntrackFullness()).toMatchObject({ connections: 1 });
  const isForgotten = async (n: number) => {
    const { length } = slow.delivered;
    await lab.write(port(1, 'g', n));
    await lab.sync();
    return !slow.delivered.slice(length).includes(keys.port('n1', 'p1'));
  };
  let last = 20;
  await until(() => isForgotten(++last), { what: 'the network is forgotten' });
  expect(slow.delivered.filter((key) => key.includes('/n2'))).toEqual([]);

  await lab.plug('p1', 'tap1', 11);
  await lab.bound('p1', 'ACTIVE');
  expect(await entry(11)).toHaveLength(1);
  expect(await connections()).not.toContain('10.0.0.2');
});
