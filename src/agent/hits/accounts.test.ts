import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CounterReading, HitAccounts } from './accounts.ts';

const flow: CounterReading = {
  rule: 'r',
  port: 'p',
  opens: true,
  flow: '+p/1',
  packets: 0,
  bytes: 0,
  age: 1000,
  idle: 0,
};
const read = (packets: number, more: Partial<CounterReading> = {}): CounterReading => ({
  ...flow,
  packets,
  bytes: packets * 10,
  ...more,
});

/** Looks a second apart, at which the wall says a million more. */
function look(accounts: HitAccounts, second: number, ...readings: CounterReading[]): boolean {
  const now = second * 1000;
  return accounts.fold({ readings, whole: true, asked: now, heard: now + 5, wall: 1_000_000 + now });
}

const recordOf = (accounts: HitAccounts, rule = 'r') => accounts.takeChanged().get(rule);
const count = (accounts: HitAccounts, port = 'p') => recordOf(accounts)?.ports[port];

describe('an account of a rule', () => {
  test('adds what a flow showed more than before, and says when', () => {
    const accounts = new HitAccounts();
    look(accounts, 1, read(0));
    expect(accounts.takeChanged().size).toBe(0);
    look(accounts, 2, read(3, { idle: 1 }));
    look(accounts, 5, read(7));
    expect(recordOf(accounts)).toEqual({
      ports: {
        p: { packets: 7, bytes: 70, connections: 7, first: 1_001_000, last: 1_005_000 },
      },
      switch: { '+p/1': [7, 70] },
      at: 1_005_000,
    });
    look(accounts, 6, read(7));
    expect(accounts.takeChanged().size).toBe(0);
  });

  test('counts connections on flows that begin them only, and ports apart', () => {
    const accounts = new HitAccounts();
    look(accounts, 1, read(2), read(5, { opens: false, flow: '-p/2' }), read(1, { port: 'q', flow: '+q/3' }));
    const record = recordOf(accounts);
    expect(record?.ports['p']).toMatchObject({ packets: 7, connections: 2 });
    expect(record?.ports['q']).toMatchObject({ packets: 1, connections: 1 });
  });

  test('a flow that ended and comes back counts from zero, whatever it shows', () => {
    const accounts = new HitAccounts();
    look(accounts, 1, read(5));
    accounts.ended('r', flow.flow, 0);
    expect(look(accounts, 2, read(9, { age: 0.5 }))).toBe(false);
    expect(count(accounts)).toMatchObject({ packets: 14 });
  });

  test.each([
    ['a flow shows less than before', read(2)],
    ['a flow is younger than the look before', read(9, { age: 0.5 })],
  ])('%s: it is another one, and counts were lost', (_, seen) => {
    const accounts = new HitAccounts();
    look(accounts, 1, read(5));
    expect(look(accounts, 2, seen)).toBe(true);
    expect(count(accounts)).toMatchObject({ packets: 5 + seen.packets });
    expect(look(accounts, 3, { ...seen, age: seen.age + 1 })).toBe(false);
  });

  test('a flow that a whole look misses is gone; one of a partial look is not', () => {
    const accounts = new HitAccounts();
    look(accounts, 1, read(5));
    const partial = { readings: [], whole: false, asked: 0, heard: 0, wall: 0 };
    expect(accounts.fold(partial)).toBe(false);
    expect(look(accounts, 3)).toBe(true);
    look(accounts, 4, read(6));
    expect(count(accounts)).toMatchObject({ packets: 11 });
  });

  test('goes on after a restart of the agent, from where the flow stood', () => {
    const before = new HitAccounts();
    look(before, 1, read(5));
    const record = recordOf(before);
    const after = new HitAccounts();
    if (record) after.restore('r', record);
    expect(look(after, 2, read(8, { age: 0.1 }))).toBe(false);
    expect(count(after)).toMatchObject({ packets: 8, first: 1_001_000, last: 1_002_000 });
  });

  test('begins anew with a switch that has restarted, and keeps what was counted', () => {
    const accounts = new HitAccounts();
    look(accounts, 1, read(5));
    expect(accounts.based).toBe(true);
    accounts.restart(0);
    expect(accounts.based).toBe(false);
    look(accounts, 2, read(6));
    expect(count(accounts)).toMatchObject({ packets: 11 });
  });

  test('keeps the counts of ports that are gone, as nobody’s; a rule that is gone takes its account along', () => {
    const accounts = new HitAccounts();
    look(accounts, 1, read(5), read(2, { port: 'q', flow: '+q/1' }), read(1, { rule: 's' }));
    accounts.takeChanged();
    accounts.prune(
      (rule) => rule !== 'r',
      (port) => port !== 'q',
      0,
    );
    const changed = accounts.takeChanged();
    expect(changed.get('s')).toBe(null);
    expect(Object.keys(changed.get('r')?.ports ?? {}).sort()).toEqual(['', 'q']);
    expect(changed.get('r')?.ports['']).toMatchObject({ packets: 5 });
  });

  test('what could not be recorded is changed still', () => {
    const accounts = new HitAccounts();
    look(accounts, 1, read(5));
    accounts.putBack(accounts.takeChanged().keys());
    expect(count(accounts)).toMatchObject({ packets: 5 });
  });
});

/** What may happen to one flow; `true count` is kept beside. */
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('packets' as const), n: fc.nat(20) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('look' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('recompile' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('agent-restart' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('switch-restart' as const) }) },
  ),
  { maxLength: 40 },
);

test('over any history an account says what the flow met; only a switch’s restart loses what no look has seen', () => {
  fc.assert(
    fc.property(steps, (history) => {
      let accounts = new HitAccounts();
      let counter = 0;
      let made = 0;
      let truth = 0;
      let seen = 0;
      let previous = 0;
      history.forEach((step, at) => {
        const now = at + 1;
        const sight = () => {
          look(accounts, now, read(counter, { age: now - made }));
          truth += seen;
          seen = 0;
        };
        if (step.do === 'packets') {
          counter += step.n;
          seen += step.n;
        } else if (step.do === 'look') sight();
        else if (step.do === 'recompile') {
          sight();
          accounts.ended('r', flow.flow, 0);
          counter = 0;
          made = now;
        } else if (step.do === 'agent-restart') {
          sight();
          const left = new HitAccounts();
          accounts.putBack(['r']);
          const record = recordOf(accounts);
          if (record) left.restore('r', record);
          accounts = left;
        } else {
          accounts.restart(0);
          counter = 0;
          seen = 0;
          made = now;
        }
        accounts.putBack(['r']);
        const total = count(accounts)?.packets ?? 0;
        expect(total).toBe(truth);
        expect(total).toBeGreaterThanOrEqual(previous);
        previous = total;
      });
    }),
  );
});
