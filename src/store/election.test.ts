import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Store } from './contract.ts';
import { Election, type ElectionOptions } from './election.ts';
import { MemoryStore } from './memory.ts';

const key = 'lease';
const ttl = 1000;

let store: MemoryStore;
let leases: Election[];
let log: string[];
beforeEach(() => {
  store = new MemoryStore();
  leases = [];
  log = [];
});
afterEach(async () => {
  await Promise.all(leases.map((lease) => lease.stop()));
  await store.close();
});

function lease(holder: string, on: Store = store, changes: Partial<ElectionOptions> = {}): Election {
  const made = new Election({
    store: on,
    key,
    holder,
    renewInterval: 20,
    ttl,
    onGained: () => log.push(`${holder} gained`),
    onLost: () => log.push(`${holder} lost`),
    onTrouble: () => log.push(`${holder} in trouble`),
    ...changes,
  });
  leases.push(made);
  return made;
}

const eventually = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 5000, interval: 5 });
const revisionInStore = async () => (await store.get(key))?.modRevision ?? null;

describe('a lease', () => {
  test('is held by one process until it gives the lease up, and then by the other at once', async () => {
    const first = lease('first');
    first.start();
    await eventually(() => expect(first.held).toBe(true));
    const second = lease('second');
    second.start();
    const before = first.revision ?? 0;
    // Longer than the life of a lease that is not renewed.
    await eventually(() => expect((first.revision ?? 0) - before).toBeGreaterThan((1.5 * ttl) / 20));
    expect(second.held).toBe(false);
    await first.stop();
    await eventually(() => expect(second.held).toBe(true));
    expect(log).toEqual(['first gained', 'second gained']);
    expect(await revisionInStore()).not.toBe(null);
    await second.stop();
    expect(await revisionInStore()).toBe(null);
  });

  test('is taken over from a silent holder, not before', async () => {
    await store.txn([], [{ op: 'put', key, value: 'somebody' }]);
    const started = performance.now();
    const next = lease('next');
    next.start();
    await eventually(() => expect(next.held).toBe(true));
    expect(performance.now() - started).toBeGreaterThanOrEqual(ttl);
    expect(await revisionInStore()).toBe(next.revision);
  });

  test('is taken at once where nobody else can hold it', async () => {
    await store.txn([], [{ op: 'put', key, value: 'left over' }]);
    const only = lease('only', store, { alone: true, ttl: 1e6 });
    only.start();
    await eventually(() => expect(only.held).toBe(true));
    await only.stop();
    expect(log).toEqual(['only gained']);
  });

  test('is lost when somebody else has written it', async () => {
    const first = lease('first');
    first.start();
    await eventually(() => expect(first.held).toBe(true));
    await store.txn([], [{ op: 'put', key, value: 'somebody' }]);
    await eventually(() => expect(log).toContain('first lost'));
    await eventually(() => expect(log).toEqual(['first gained', 'first lost', 'first gained']));
  });

  test('is not held while the store is away, and is held again when it is back', async () => {
    let away = false;
    const moody = new Proxy<Store>(store, {
      get: (target, name) =>
        away && (name === 'txn' || name === 'get')
          ? () => Promise.reject(new Error('away'))
          : (Reflect.get(target, name) as () => unknown).bind(target),
    });
    const first = lease('first', moody);
    first.start();
    await eventually(() => expect(first.held).toBe(true));
    away = true;
    await eventually(() => expect(first.held).toBe(false));
    expect(log).toContain('first in trouble');
    away = false;
    await eventually(() => expect(first.held).toBe(true));
  });

  test('is held by one of many at any moment', async () => {
    const many = Array.from({ length: 5 }, (_, i) => lease(`l${i}`));
    for (const one of many) one.start();
    await eventually(() => expect(many.filter(({ held }) => held)).toHaveLength(1));
    for (let left = many.length; left > 0; left--) {
      const holders = many.filter(({ held }) => held);
      expect(holders).toHaveLength(1);
      await holders[0]?.stop();
      if (left > 1) await eventually(() => expect(many.some(({ held }) => held)).toBe(true));
    }
    const gained = log.filter((line) => line.endsWith('gained'));
    expect(new Set(gained).size).toBe(many.length);
    expect(gained).toHaveLength(many.length);
  });
});
