/** A switch that refuses: simulated by its own limit on the flows of a table. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { networkWrites, putPort } from '../lib/records.ts';
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
