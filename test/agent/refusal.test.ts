/** A switch that refuses flows, simulated by its own limit on the flows of a table. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { IdSpace } from '../../src/pipeline/ids.ts';
import { register } from '../../src/pipeline/registers.ts';
import { tables } from '../../src/pipeline/tables.ts';
import type { Direction, GroupId, PortId, Rule, RuleId, World } from '../../src/policy/world.ts';
import { InstalledWorld } from '../lib/installed-world.ts';
import { networkWrites, putPort } from '../lib/records.ts';
import { startSwitch } from '../lib/switch.ts';
import { until } from '../lib/wait.ts';
import { type RuleText, worldFrom } from '../proofs/worlds.ts';
import { startLab } from './lab.ts';

test('an agent with refused flows retries ever more rarely, however much changes, and recovers by itself', async () => {
  await using lab = await startLab({ dummy: true });
  const port = (n: number) => putPort({ id: 'p1', mac: '02:00:00:00:00:01', ips: [`10.0.0.${n}`] });
  await lab.write(...networkWrites(), port(1));
  await lab.startAgent();
  await lab.switch.vsctl(
    ...'-- --id=@f create Flow_Table flow_limit=1 overflow_policy=refuse'.split(' '),
    ...`-- set Bridge ${lab.bridge} flow_tables:0=@f`.split(' '),
  );
  const before = lab.agent.status.failures;
  await lab.plug('p1', 'tap1', 11);
  await until(() => lab.agent.status.failures > before);
  const begun = performance.now();
  for (let n = 2; performance.now() - begun < 1500; n = (n % 200) + 1) {
    await lab.write(port(n));
    await delay(2);
  }
  // 50 ms, then twice as long each time: at most six attempts fit.
  expect(lab.agent.status.failures - before).toBeLessThan(8);
  expect(await lab.binding('p1')).toBe(null);

  await lab.switch.vsctl('clear', 'Bridge', lab.bridge, 'flow_tables');
  await lab.bound('p1', 'ACTIVE');
});

test('left out a rule that the switch refuses, and applied all else', async () => {
  await using at = await startSwitch({ dummy: true });
  await at.addBridge('br0');
  await at.addDummyPorts('br0', [
    { name: 'a', ofport: 1 },
    { name: 'b', ofport: 2 },
  ]);
  const good: RuleText = {
    group: 'g',
    direction: 'ingress',
    family: 4,
    l4: { kind: 'ports', protocol: 6, min: 81, max: 81 },
  };
  // ICMPv6 in IPv4, which API and records do not allow.
  const odd = (direction: Direction): RuleText => ({
    group: 'g',
    direction,
    family: 4,
    l4: { kind: 'icmp', protocol: 58, type: 128, code: 0 },
  });
  const port = (id: string, at: number) => ({
    id,
    mac: `02:00:00:00:00:0${at}`,
    ips: [`10.0.0.${at}`],
    groups: ['g'],
  });
  const alone = worldFrom({ ports: [port('a', 1)], rules: [good] });
  const both = worldFrom({
    ports: [port('a', 1), port('b', 2)],
    rules: [good, odd('ingress'), odd('egress')],
  });
  const [a, b] = ['a', 'b'] as [PortId, PortId];
  // Sorted: flows of one priority are listed in no particular order.
  const flows = async () => (await at.ofctl('--no-stats', 'dump-flows', at.mgmt('br0'))).split('\n').sort();

  const installed = new InstalledWorld(at.mgmt('br0'), 'leave out');
  const again = new InstalledWorld(at.mgmt('br0'), 'leave out');
  try {
    await installed.install(alone, new Map([[a, 1]]));
    const before = await flows();
    await installed.install(
      both,
      new Map([
        [a, 1],
        [b, 2],
      ]),
    );
    const local = installed.pipeline.relations.locals.get(b);
    const outputs = await installed.session.dumpFlows({ match: { reg3: local?.key ?? 0 } });
    expect(outputs.some(({ table }) => table === tables.dispatch.id)).toBe(true);

    // The next reading of the switch tries it once, with the same result.
    await again.install(
      both,
      new Map([
        [a, 1],
        [b, 2],
      ]),
    );
    await installed.install(alone, new Map([[a, 1]]));
    expect(await flows()).toEqual(before);
  } finally {
    await installed.close();
    await again.close();
  }
});

test('rules beyond the size of a message are left out, and all others installed', async () => {
  await using at = await startSwitch({ dummy: true });
  await at.addBridge('br0');
  await at.addDummyPorts('br0', [
    { name: 'a', ofport: 1 },
    { name: 'b', ofport: 2 },
  ]);
  const rule = (id: string, group: string, port: number): Rule => ({
    id: id as RuleId,
    group: group as GroupId,
    direction: 'ingress',
    family: 4,
    l4: { kind: 'ports', protocol: 6, min: port, max: port },
    remote: { kind: 'any' },
  });
  /** `crowded`: rules of only one of the eight levels. */
  const world = (count: number, crowded: boolean): World => {
    const rules = [rule('few', 'few', 80)];
    const ids = new IdSpace();
    for (let n = 0; rules.length <= count; n++)
      if (!crowded || ids.of(`r${n}`) % 8 === 0) rules.push(rule(`r${n}`, 'many', 1000 + rules.length));
    return {
      ...worldFrom({
        ports: [
          { id: 'a', mac: '02:00:00:00:00:01', ips: ['10.0.0.1'], groups: ['many'] },
          { id: 'b', mac: '02:00:00:00:00:02', ips: ['10.0.0.2'], groups: ['few'] },
        ],
      }),
      rules: new Map(rules.map((each) => [each.id, each])),
    };
  };
  const ofports = new Map(Object.entries({ a: 1, b: 2 }) as [PortId, number][]);
  const installed = new InstalledWorld(at.mgmt('br0'), 'leave out');
  /** Whether the rules of the port's set of groups have its clause. */
  const hasRules = async (group: string): Promise<boolean> => {
    const match = { [register.destinationSet]: installed.pipeline.ids.sets.of(group) };
    return (await installed.session.dumpFlows({ table: tables.ingress_rules.id, match })).length > 0;
  };
  try {
    // A clause takes 16 bytes, a message has 65,535.
    await installed.install(world(4200, true), ofports);
    expect(await hasRules('few')).toBe(true);
    expect(await hasRules('many')).toBe(false);
    await installed.install(world(3900, true), ofports);
    expect(await hasRules('many')).toBe(true);
    await installed.install(world(4200, false), ofports);
    expect(await hasRules('many')).toBe(true);
  } finally {
    await installed.close();
  }
});
