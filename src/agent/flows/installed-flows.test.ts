/** The agent's copy of the flows of a switch with a flow monitor. */
import { describe, expect, test } from 'vitest';
import type { Flow, FlowStats, FlowUpdate, Session } from '../../openflow/index.ts';
import { InstalledFlows } from './installed-flows.ts';

const flow = (priority: number, table = 5): Flow => ({
  table,
  priority,
  match: { reg0: priority },
  cookie: BigInt(priority),
  actions: [{ type: 'resubmit', table: 6 }],
});
const stats = (each: Flow): FlowStats => ({
  ...each,
  packets: 0n,
  bytes: 0n,
  duration: 1,
  idle: 1,
  idleTimeout: 0,
  hardTimeout: 0,
});
const told = (event: 'added' | 'removed' | 'modified', each: Flow): FlowUpdate => ({
  ...each,
  event,
  reason: 0,
  idleTimeout: 0,
  hardTimeout: 0,
});

/** A session whose dump gives what the switch of the moment has. */
const sessionOf = (now: () => readonly Flow[]): Pick<Session, 'dumpFlows'> => ({
  dumpFlows: async (filter) =>
    now()
      .filter(({ cookie }) => (cookie & (filter?.cookieMask ?? 0n)) === (filter?.cookie ?? 0n))
      .map(stats),
});

const all = Array.from({ length: 300 }, (_, at) => flow(at));
const known = async (flows = all, excluded: ReadonlySet<number> = new Set()): Promise<InstalledFlows> => {
  const installed = new InstalledFlows(excluded);
  await installed.read(sessionOf(() => flows));
  return installed;
};
const strays = (installed: InstalledFlows) =>
  installed
    .take(installed.known ?? new Map())
    .map(({ was, now }) => [was?.priority ?? null, now?.priority ?? null]);

describe('what is told', () => {
  test('is nothing new where it is what was known', async () => {
    const installed = await known();
    installed.hear(told('added', flow(7)), false);
    installed.hear(told('removed', flow(500)), false);
    expect(strays(installed)).toEqual([]);
    expect(installed.settled).toBe(true);
  });

  test('is a flow that goes, comes, or does something else', async () => {
    const installed = await known();
    installed.hear(told('removed', flow(7)), false);
    installed.hear(told('added', flow(500)), false);
    installed.hear(told('modified', { ...flow(8), actions: [] }), false);
    expect(installed.settled).toBe(false);
    expect(strays(installed)).toEqual([
      [7, null],
      [null, 500],
      [8, 8],
    ]);
    expect(installed.settled).toBe(true);
  });

  test('is not believed while a change of ours is under way', async () => {
    const installed = await known();
    installed.hear(told('added', flow(7)), true);
    expect(strays(installed)).toEqual([[7, 7]]);
  });

  test('of our own change by its number alone means nothing', async () => {
    const installed = await known();
    expect(installed.hear({ event: 'abbreviated', xid: 5 }, false)).toBe(false);
    expect(installed.settled).toBe(true);
  });

  test('in a table that the switch itself fills is left alone, also by looks', async () => {
    const installed = await known(all, new Set([20]));
    expect(installed.hear(told('added', flow(1, 20)), false)).toBe(false);
    await installed.look(sessionOf(() => [...all, flow(2, 20)]));
    expect(strays(installed)).toEqual([]);
  });
});

test('a monitor that pauses makes the switch be read again, and not before it resumes', async () => {
  const installed = await known();
  expect(installed.hear({ event: 'paused' }, false)).toBe(false);
  expect(installed.settled).toBe(false);
  // Changes of ours come in full when it resumes.
  expect(installed.hear(told('added', flow(500)), false)).toBe(false);
  expect(installed.hear({ event: 'resumed' }, false)).toBe(true);
  expect(installed.known).toBe(null);
  const { strays: found } = await installed.read(sessionOf(() => all.slice(1)));
  expect(found.map(({ was, now }) => [was?.priority, now])).toEqual([[0, null]]);
  expect(installed.settled).toBe(true);
});

test('looks, a part at a time, find all that no monitor told', async () => {
  const installed = await known();
  const session = sessionOf(() => [...all.filter(({ priority }) => priority % 10 !== 0), flow(1000)]);
  const found: unknown[] = [];
  let looks = 0;
  while (found.length < 31 && looks++ < 16) {
    await installed.look(session);
    found.push(...strays(installed));
  }
  expect(looks).toBeGreaterThan(1);
  expect(found).toHaveLength(31);
  for (let again = 0; again < looks; again++) await installed.look(session);
  expect(strays(installed)).toEqual([]);
});
