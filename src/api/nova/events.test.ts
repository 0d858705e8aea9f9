import { describe, expect, test } from 'vitest';
import { eventsBetween, isUntold, type PortState, stateOf } from './events.ts';

const server = '7d7b6a44-63a5-4b8a-9a6a-0b7c5f1e2d3c';
const other = '11111111-2222-3333-4444-555555555555';
const facts = {
  device_id: server,
  device_owner: 'compute:nova',
  revision_number: 3,
  'binding:host_id': 'h1',
};
const down: PortState = { server, status: 'DOWN', host: '', revision: 1 };
const up: PortState = { server, status: 'ACTIVE', host: 'h1', revision: 1 };
const names = (before: PortState | null, after: PortState | null, gone = false) =>
  eventsBetween('p', before, after, gone).map(({ name }) => name);

describe('the state of a port', () => {
  test('is ACTIVE where it is to be and is held, and nowhere else', () => {
    const at = (host: string, status: 'ACTIVE' | 'DOWN') => stateOf(facts, { host, status });
    expect(at('h1', 'ACTIVE')).toEqual({ server, status: 'ACTIVE', host: 'h1', revision: 3 });
    for (const state of [at('h1', 'DOWN'), at('h2', 'ACTIVE'), stateOf(facts, undefined)])
      expect(state).toEqual({ server, status: 'DOWN', host: '', revision: 3 });
    const anywhere = { ...facts, 'binding:host_id': '' };
    expect(stateOf(anywhere, { host: 'h2', status: 'ACTIVE' })).toMatchObject({ host: 'h2' });
  });

  test.each([
    ['no owner', { device_owner: '' }],
    ['a router', { device_owner: 'network:router_interface' }],
    ['no device', { device_id: '' }],
    ['a device that is no server', { device_id: 'mine' }],
    ['an id within a text', { device_id: `${server}/x` }],
  ])('is none of a port with %s', (_, changes) => {
    expect(stateOf({ ...facts, ...changes }, { host: 'h1', status: 'ACTIVE' })).toBe(null);
  });
});

describe('events', () => {
  test.each<[string, PortState | null, PortState | null, boolean, string[]]>([
    ['made', null, down, false, []],
    ['given to a server', null, { ...down, revision: 2 }, false, ['network-changed']],
    ['plugged', down, up, false, ['network-vif-plugged']],
    ['unplugged', up, down, false, ['network-vif-unplugged']],
    ['at another host without a pause', up, { ...up, host: 'h2' }, false, ['network-vif-plugged']],
    ['changed', up, { ...up, revision: 2 }, false, ['network-changed']],
    ['moving', up, { ...down, revision: 2 }, false, ['network-vif-unplugged', 'network-changed']],
    ['the same', up, up, false, []],
    ['deleted', up, null, true, ['network-vif-deleted']],
    ['taken from its server', up, null, false, []],
    ['unknown and gone', null, null, true, []],
    [
      "another server's",
      up,
      { ...up, server: other, revision: 2 },
      false,
      ['network-vif-plugged', 'network-changed'],
    ],
  ])('of a port that is %s', (_, before, after, gone, expected) => {
    expect(names(before, after, gone)).toEqual(expected);
  });

  test('name the server, the port, and what came of it where that is asked for', () => {
    expect(eventsBetween('p', down, { ...up, revision: 2 }, false)).toEqual([
      { name: 'network-vif-plugged', server_uuid: server, tag: 'p', status: 'completed' },
      { name: 'network-changed', server_uuid: server, tag: 'p' },
    ]);
    expect(eventsBetween('p', up, null, true)).toEqual([
      { name: 'network-vif-deleted', server_uuid: server, tag: 'p' },
    ]);
  });

  test('are none of what nobody needs to be told', () => {
    expect(isUntold(down)).toBe(true);
    for (const state of [up, { ...down, revision: 2 }]) expect(isUntold(state)).toBe(false);
  });
});
