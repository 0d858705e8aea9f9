/** A switch that refuses: simulated by its own limit on the flows of a table. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { keys } from '../../src/model/keys.ts';
import { deletePort, networkWrites, putPort, putRule, ruleRecord } from '../lib/records.ts';
import { until } from '../lib/wait.ts';
import { startLab } from './lab.ts';

test('an agent whose flows are refused asks ever more rarely, however much changes, and heals by itself', async () => {
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

test('a rule that no switch can hold is left out, and stops nothing else', async () => {
  await using lab = await startLab({ dummy: true });
  await lab.write(
    ...networkWrites(),
    putPort({ id: 'p1', mac: '02:00:00:00:00:01', ips: ['10.0.0.1'], groups: ['g'] }),
    putRule(ruleRecord('good', 'g', 'ingress', { protocol: 'tcp', port_range_min: 81, port_range_max: 81 })),
  );
  await lab.startAgent();
  await lab.plug('p1', 'tap1', 11);
  await lab.bound('p1', 'ACTIVE');
  await lab.sync();
  const before = await lab.flows();

  // ICMPv6 in IPv4: the API refuses it, a foreign writer might not.
  const odd = (direction: 'ingress' | 'egress') =>
    ruleRecord(`odd-${direction}`, 'g', direction, {
      protocol: '58',
      port_range_min: 128,
      port_range_max: 0,
    });
  await lab.write(putRule(odd('ingress')), putRule(odd('egress')));
  await lab.write(putPort({ id: 'p2', mac: '02:00:00:00:00:02', groups: ['g'] }));
  await lab.plug('p2', 'tap2', 12);
  await lab.bound('p2', 'ACTIVE');
  await lab.sync();
  expect(lab.logged('left out').length).toBeGreaterThan(0);
  expect(lab.agent.status.failures).toBe(0);

  await lab.write(
    { op: 'delete', key: keys.rule('g', 'odd-ingress') },
    { op: 'delete', key: keys.rule('g', 'odd-egress') },
    ...deletePort('p2'),
  );
  await lab.sync();
  expect(await lab.flows()).toEqual(before);

  // A restart tries it once and comes to the same end.
  await lab.write(putRule(odd('ingress')));
  await lab.sync();
  const with1 = await lab.flows();
  await lab.stopAgent();
  await lab.startAgent();
  await lab.sync();
  expect(await lab.flows()).toEqual(with1);
  expect(lab.agent.status.failures).toBe(0);
});
