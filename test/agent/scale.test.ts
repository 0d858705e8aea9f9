/** The cost of a change does not grow with the cloud, counted in derivations and flows, not in time. */
import { beforeAll, expect, test } from 'vitest';
import type { Write } from '../../src/store/contract.ts';
import { defaultRules, networkWrites, putPort, putRule } from '../lib/records.ts';
import { type Lab, startLab } from './lab.ts';

const local = 20;
const macOf = (n: number) =>
  `02:00:00:01:${[n >> 8, n & 255].map((b) => b.toString(16).padStart(2, '0')).join(':')}`;
const port = (n: number, last = n): Write =>
  putPort({ id: `p${n}`, mac: macOf(n), ips: [`10.0.${last >> 8}.${last & 255}`] });

interface Cost {
  readonly derivations: number;
  readonly flows: number;
  readonly rounds: number;
}

async function costOf(lab: Lab, ...writes: readonly Write[]): Promise<Cost> {
  const now = () => ({
    derivations: [...lab.agent.derivations.values()].reduce((sum, count) => sum + count, 0),
    flows: lab.agent.status.flowsChanged,
    rounds: lab.agent.status.rounds,
  });
  const before = now();
  await lab.write(...writes);
  await lab.sync();
  const after = now();
  return {
    derivations: after.derivations - before.derivations,
    flows: after.flows - before.flows,
    rounds: after.rounds - before.rounds,
  };
}

/** Costs of three changes in a network with `total` ports of one group that names itself. */
async function costs(total: number): Promise<Readonly<Record<'join' | 'move' | 'leave', Cost>>> {
  await using lab = await startLab({ dummy: true });
  await lab.write(
    ...networkWrites(),
    ...defaultRules('g').map(putRule),
    ...Array.from({ length: total }, (_, n) => port(n + 1)),
  );
  await lab.startAgent();
  const plugs = Array.from({ length: local }, (_, n) => ({
    name: `tap${n + 1}`,
    externalIds: { 'iface-id': `p${n + 1}` },
  }));
  await lab.switch.addDummyPorts(lab.bridge, plugs);
  for (let n = 1; n <= local; n++) await lab.bound(`p${n}`, 'ACTIVE');
  await lab.sync();
  expect(lab.agent.status.localPorts).toBe(local);
  expect(lab.agent.status.installedFlows / total).toBeLessThan(total >= 1000 ? 3.2 : 60);
  const join = await costOf(lab, port(total + 1));
  const move = await costOf(lab, port(total + 1, total + 2));
  const leave = await costOf(lab, { op: 'delete', key: `ports/n1/p${total + 1}` });
  return { join, move, leave };
}

let small: Awaited<ReturnType<typeof costs>>;
let large: Awaited<ReturnType<typeof costs>>;
beforeAll(async () => {
  small = await costs(100);
  large = await costs(5000);
});

test.each(['join', 'move', 'leave'] as const)(
  'a member that %ss costs the same among 5000 as among 100',
  (change) => {
    expect(large[change]).toEqual(small[change]);
    expect(large[change].derivations).toBeLessThan(60);
    expect(large[change].flows).toBeLessThan(8);
  },
);
