import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Dataflow } from './dataflow.ts';

interface Person {
  readonly team: string;
  readonly age: number;
}

function teams() {
  const flow = new Dataflow();
  const people = flow.input<string, Person>('people');
  const names = flow.input<string, string>('names');
  const byTeam = flow.index('by-team', people, (_id, p) => [
    [p.team, p.age] as const,
    [`all`, p.age] as const,
  ]);
  const isLive = flow.map('is-live', byTeam, () => true);
  const title = flow.map('title', people, (id, p, read) =>
    read(isLive, p.team) ? `${read(names, p.team) ?? '?'}:${id}` : undefined,
  );
  const seen = new Map<string, string>();
  flow.sink('seen', title, (key, value) => {
    if (value === undefined) seen.delete(key);
    else seen.set(key, value);
  });
  return { flow, people, names, byTeam, title, seen };
}

it('a comparison reports each change once a run, with the value that it reported last', () => {
  const flow = new Dataflow();
  const numbers = flow.input<string, number>('numbers');
  const halves = flow.map('halves', numbers, (_, value) => Math.floor(value / 2));
  const heard: unknown[] = [];
  flow.compare('heard', halves, (...change) => heard.push(change));
  const heardIn = (change: () => void): unknown[] => {
    change();
    flow.run();
    return heard.splice(0);
  };
  expect(heardIn(() => numbers.set('a', 4))).toEqual([['a', undefined, 2]]);
  expect(heardIn(() => numbers.set('a', 5))).toEqual([]);
  const twice = () => {
    numbers.set('a', 8);
    numbers.set('a', 6);
  };
  expect(heardIn(twice)).toEqual([['a', 2, 3]]);
  const thereAndBack = () => {
    numbers.delete('a');
    numbers.set('a', 7);
  };
  expect(heardIn(thereAndBack)).toEqual([]);
  expect(heardIn(() => numbers.delete('a'))).toEqual([['a', 3, undefined]]);
});

describe('dataflow', () => {
  it('derives again only what read a changed entry', () => {
    const { flow, people, names, seen } = teams();
    people.set('ann', { team: 'red', age: 1 });
    people.set('bob', { team: 'blue', age: 2 });
    flow.run();
    const before = flow.derivations.get('title') ?? 0;
    names.set('red', 'R');
    flow.run();
    expect(seen.get('ann')).toBe('R:ann');
    expect((flow.derivations.get('title') ?? 0) - before).toBe(1);
  });

  it('stops where a value comes out equal', () => {
    const { flow, people } = teams();
    people.set('ann', { team: 'red', age: 1 });
    flow.run();
    const before = flow.derivations.get('title') ?? 0;
    people.set('bob', { team: 'red', age: 2 });
    flow.run();
    expect((flow.derivations.get('title') ?? 0) - before).toBe(1);
  });

  it('incremental equals from scratch, whatever the order of changes', () => {
    const change = fc.record({
      id: fc.constantFrom('a', 'b', 'c', 'd'),
      person: fc.option(fc.record({ team: fc.constantFrom('x', 'y'), age: fc.nat(3) }), { nil: undefined }),
      name: fc.option(fc.record({ team: fc.constantFrom('x', 'y'), name: fc.constantFrom('n', 'm') }), {
        nil: undefined,
      }),
      run: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const live = teams();
        for (const { id, person, name, run } of changes) {
          if (person === undefined) live.people.delete(id);
          else live.people.set(id, person);
          if (name !== undefined) live.names.set(name.team, name.name);
          if (run) live.flow.run();
        }
        live.flow.run();
        const fresh = teams();
        for (const [key, value] of live.people.entries()) fresh.people.set(key, value);
        for (const [key, value] of live.names.entries()) fresh.names.set(key, value);
        fresh.flow.run();
        expect(live.seen).toEqual(fresh.seen);
        expect(new Map(live.title.entries())).toEqual(new Map(fresh.title.entries()));
        expect([...live.byTeam.entries()].map(([k, v]) => [k, new Map([...v].sort())]).sort()).toEqual(
          [...fresh.byTeam.entries()].map(([k, v]) => [k, new Map([...v].sort())]).sort(),
        );
      }),
    );
  });
});
