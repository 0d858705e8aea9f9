/** Which frames reach whom in an isolated network, and which connections may stand there. */
import { describe, expect, test } from 'vitest';
import { arpRequest, echoFrame, icmpFrame, ip, mac, tagged } from '../../test/lib/frames.ts';
import { host, type PortText, worldFrom } from '../../test/proofs/worlds.ts';
import type { PortRole } from '../model/records.ts';
import { icmpv6Types } from '../net/packet/icmpv6.ts';
import { emptyTracker } from './conntrack.ts';
import { evaluate } from './evaluator.ts';
import { mayReach } from './isolation.ts';
import type { PortId, World } from './world.ts';

const roles = {
  i: { kind: 'isolated' },
  j: { kind: 'isolated' },
  r: { kind: 'community', name: 'red' },
  s: { kind: 'community', name: 'red' },
  b: { kind: 'community', name: 'blue' },
  p: { kind: 'promiscuous' },
  q: { kind: 'promiscuous' },
} as const satisfies Readonly<Record<string, PortRole>>;
type Name = keyof typeof roles;
const names = Object.keys(roles) as Name[];
const macOf = (name: Name) => mac(`02:00:00:00:00:${(names.indexOf(name) + 16).toString(16)}`);
const ipOf = (name: Name) => ip(`10.0.0.${names.indexOf(name) + 16}`);
/** Without port security: roles alone decide. */
const portText = (name: Name): PortText => ({ id: name, mac: macOf(name), mode: 'off', role: roles[name] });
const isolated: World = worldFrom({ ports: names.map(portText), isolated: true });

const reached = (world: World, from: string, frame: Buffer): string =>
  [...evaluate(world, host, emptyTracker, from as PortId, frame).receivers]
    .flatMap(([id, { outcome }]) => (outcome === 'passed' ? [id] : []))
    .sort()
    .join('');

const whom = { i: 'pq', r: 'spq', b: 'pq', p: 'ijrsbq' } as const;
const sent = Object.entries(whom) as [keyof typeof whom, string][];
const sorted = (text: string): string => text.split('').sort().join('');

describe('in an isolated network', () => {
  test.each(sent)('%s reaches %s by unicast, whatever the ethertype', (from, others) => {
    const got = names.filter((to) => {
      const link = { from: macOf(from), to: macOf(to), src: ipOf(from), dst: ipOf(to) };
      const frame = echoFrame(link, 'request');
      const plain = reached(isolated, from, frame);
      expect(reached(isolated, from, tagged(frame))).toBe(plain);
      return to !== from && plain === to;
    });
    expect(sorted(got.join(''))).toBe(sorted(others));
  });

  test('broadcasts stay among promiscuous ports and in a community, but promiscuous ports ask all', () => {
    const link = (from: Name) => ({
      from: macOf(from),
      to: mac('ff:ff:ff:ff:ff:ff'),
      src: ipOf(from),
      dst: ip('255.255.255.255'),
    });
    const heard = (from: Name) => reached(isolated, from, echoFrame(link(from), 'request'));
    expect([heard('i'), heard('r'), heard('b'), heard('p')]).toEqual(['', 's', '', 'q']);
    const asked = (from: Name) => reached(isolated, from, arpRequest(macOf(from), ipOf(from), ipOf('j')));
    expect([asked('i'), asked('r'), asked('p')]).toEqual(['', 's', sorted('ijrsbq')]);
  });

  test('router solicitations reach promiscuous ports, and advertisements come from them', () => {
    const message = (from: Name, type: number) =>
      icmpFrame(
        { from: macOf(from), to: mac('33:33:00:00:00:01'), src: ip('fe80::1'), dst: ip('ff02::1') },
        { type, code: 0, rest: 0, body: Buffer.alloc(8) },
      );
    expect(reached(isolated, 'i', message('i', icmpv6Types.routerSolicitation))).toBe('pq');
    expect(reached(isolated, 'i', message('i', icmpv6Types.routerAdvertisement))).toBe('');
    expect(reached(isolated, 'p', message('p', icmpv6Types.routerAdvertisement))).toBe(sorted('ijrsbq'));
  });

  test('connections stand where a frame would pass', () => {
    const port = (id: Name) => isolated.ports.get(id as PortId);
    for (const [from, others] of sent)
      for (const to of names) {
        const [one, other] = [port(from), port(to)];
        if (one === undefined || other === undefined || from === to) continue;
        expect(mayReach(isolated, one, other), `${from} to ${to}`).toBe(others.includes(to));
      }
  });
});

test('roles mean nothing in other networks', () => {
  const open = worldFrom({ ports: names.map(portText) });
  const link = { from: macOf('i'), to: macOf('j'), src: ipOf('i'), dst: ipOf('j') };
  expect(reached(open, 'i', echoFrame(link, 'request'))).toBe('j');
});
