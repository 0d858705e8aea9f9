import { expect, test } from 'vitest';
import { type LookScope, Looks } from './looks.ts';

/** The scopes of the first `count` looks of an idle agent. */
async function scopesOf(count: number, isMonitored: boolean): Promise<LookScope[]> {
  const scopes: LookScope[] = [];
  return new Promise((resolve) => {
    const take = (): void => {
      void looks.take(false, async (scope) => {
        scopes.push(scope);
        if (scopes.length < count) return;
        looks.stop();
        resolve(scopes);
      });
    };
    const looks = new Looks(1, take);
    looks.isMonitored = isMonitored;
    looks.start();
    take();
  });
}

const repeated = (count: number, scope: LookScope): LookScope[] => Array.from({ length: count }, () => scope);

test('every look compares flows where nothing monitors them', async () => {
  expect(await scopesOf(7, false)).toEqual(repeated(7, 'flows as well'));
});

test('every sixth look compares flows where they are monitored, and the first does', async () => {
  const six: LookScope[] = ['flows as well', ...repeated(5, 'meters and groups')];
  expect(await scopesOf(12, true)).toEqual([...six, ...six]);
});

test('an answer that waits has flows compared, but not twice within a second', async () => {
  const looks = new Looks(60_000, () => undefined);
  looks.isMonitored = true;
  const scopes: LookScope[] = [];
  for (const _ of ['first', 'second'])
    await looks.take(true, async (scope) => {
      scopes.push(scope);
    });
  expect(scopes).toEqual(['flows as well', 'meters and groups']);
});
