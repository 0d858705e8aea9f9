import { describe, expect, it } from 'vitest';
import { poolList, routeList, toPools, toRoutes } from './address-lists.ts';

describe('lists of objects whose keys a request names', () => {
  it.each(['__proto__', 'constructor', 'toString'])('refuse the key %s by name', (key) => {
    const item: unknown = JSON.parse(`[{"${key}":""}]`);
    expect(poolList(toPools(item))).toMatch(/Invalid|required|keys/i);
    expect(routeList(toRoutes(item))).toMatch(/Invalid|required|keys/i);
  });
});
