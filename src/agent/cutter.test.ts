import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { Session } from '../openflow/index.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import type { NetworkId } from '../policy/world.ts';
import { Cutter } from './cutter.ts';

test('what becomes suspect while connections are being judged is judged together', async () => {
  const pipeline = new Pipeline({ answersNd: false, puntMeter: () => null });
  const networks = ['n1', 'n2', 'n3'] as NetworkId[];
  for (const [at, network] of networks.entries()) pipeline.facts.zones.set(network, at + 1);
  const read: (number | undefined)[][] = [];
  const cutter = new Cutter({
    // There is nothing to be cut, so nothing else is said to the switch.
    session: { barrier: async () => undefined } as unknown as Session,
    log: pino({ level: 'silent' }),
    connections: async (zone) => {
      read.at(-1)?.push(zone);
      return '';
    },
    revalidated: async () => void read.push([]),
  });
  pipeline.suspicion.take();
  const works = networks.flatMap((network) => {
    pipeline.suspicion.suspect([network]);
    const one = cutter.cut(pipeline);
    pipeline.suspicion.suspect([network]);
    return [one, cutter.cut(pipeline)];
  });
  expect(await Promise.all(works)).toEqual(works.map(() => true));
  expect(read).toEqual([[1, 2, 3]]);
  pipeline.suspicion.suspect(networks.slice(1));
  await cutter.cut(pipeline);
  expect(read).toEqual([
    [1, 2, 3],
    [2, 3],
  ]);
});
