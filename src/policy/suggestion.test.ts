/** Each suggestion is made in the world and walked again: the packet passes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arpRequest, icmpFrame, ip, mac, tagged, tcpFrame, udpFrame } from '../../test/lib/frames.ts';
import { stepsArbitrary } from '../../test/proofs/arbitrary-steps.ts';
import { worldArbitrary } from '../../test/proofs/arbitrary-worlds.ts';
import { stepText, worldText } from '../../test/proofs/telling.ts';
import { host, type PortText, wideGroup, worldFrom } from '../../test/proofs/worlds.ts';
import type { PortRole } from '../model/records.ts';
import { tcpFlags } from '../net/packet/transport.ts';
import { changed, type PolicyChange, refusalOf, suggest } from './suggestion.ts';
import { type Trackers, walk } from './walk.ts';
import type { PortId, World } from './world.ts';

const a = mac('02:00:00:00:00:0a');
const b = mac('02:00:00:00:00:0b');
const port = (id: string, address: string, over: Partial<PortText> = {}): PortText => ({
  id,
  mac: id === 'a' ? a : b,
  ips: [address],
  groups: [id],
  ...over,
});
const layer = { from: a, to: b, src: ip('10.0.0.10'), dst: ip('10.0.0.11') };
const ask = (frame: Buffer, ports: Partial<Record<'a' | 'b', Partial<PortText>>> = {}, open = true) => {
  const world = worldFrom({
    ports: [port('a', '10.0.0.10', ports.a), port('b', '10.0.0.11', ports.b)],
    rules: open ? [...wideGroup('a'), ...wideGroup('b')] : [],
    gateways: ['10.0.0.1'],
  });
  return suggest(world, { host, port: 'a' as PortId }, new Map(), [frame]);
};

describe('the smallest change', () => {
  test('none where the packet passes', () => {
    expect(ask(udpFrame(layer, 1, 53))).toEqual([]);
  });

  test('a rule for this port and peer, on each side that lacks one', () => {
    const rule = { family: 4, l4: { kind: 'ports', protocol: 6, min: 443, max: 443 } };
    expect(ask(tcpFrame(layer, 1, 443, tcpFlags.syn), {}, false)).toEqual([
      {
        kind: 'rule',
        port: 'a',
        group: 'a',
        rule: { ...rule, direction: 'egress', remote: { kind: 'prefix', prefix: layer.dst } },
      },
      {
        kind: 'rule',
        port: 'b',
        group: 'b',
        rule: { ...rule, direction: 'ingress', remote: { kind: 'prefix', prefix: layer.src } },
      },
    ]);
  });

  test('a group where the port has none', () => {
    expect(ask(udpFrame(layer, 1, 53), { b: { groups: [] } })).toMatchObject([{ kind: 'rule', group: null }]);
  });

  test('a pair for an address, the port-security mode where no pair gives it', () => {
    const pair = { mac: a, ip: ip('10.0.0.77') };
    expect(ask(udpFrame({ ...layer, src: pair.ip }, 1, 2))).toEqual([{ kind: 'pair', port: 'a', pair }]);
    expect(ask(arpRequest(a, pair.ip, layer.dst))).toEqual([{ kind: 'pair', port: 'a', pair }]);
    const gateway = { ...layer, src: ip('10.0.0.1') };
    expect(ask(udpFrame(gateway, 1, 2))).toEqual([{ kind: 'mode', port: 'a', mode: 'mac-only' }]);
  });

  test('the role of a DHCP server, port security off, a port set up', () => {
    expect(ask(udpFrame(layer, 67, 68))).toEqual([{ kind: 'dhcp-server', port: 'a' }]);
    expect(ask(tagged(udpFrame(layer, 1, 2)))?.map((change) => change.kind)).toEqual(['mode', 'mode']);
    expect(ask(udpFrame(layer, 1, 2), { b: { adminUp: false } })).toEqual([{ kind: 'port-up', port: 'b' }]);
  });

  test('nothing that a later change makes needless', () => {
    // A pair or `mac-only` would lead to the next drop, which only port security off undoes: an ICMP error about nothing.
    const error = { type: 3, code: 1, rest: 0, body: Buffer.alloc(28) };
    const alone = icmpFrame({ ...layer, src: ip('10.0.0.77') }, error);
    const off = { kind: 'mode', port: 'a', mode: 'off' };
    expect(ask(alone)?.filter((change) => 'port' in change && change.port === 'a')).toEqual([off]);
  });

  test('a community where one is a member, a promiscuous receiver, or a network that is not isolated', () => {
    const from = (role: PortRole, over: Partial<PortText> = {}, frame = udpFrame(layer, 1, 53)) => {
      const ports = [port('a', '10.0.0.10', { role }), port('b', '10.0.0.11', over)];
      const rules = [...wideGroup('a'), ...wideGroup('b')];
      const world = worldFrom({ ports, rules, gateways: [], isolated: true });
      return suggest(world, { host, port: 'a' as PortId }, new Map(), [frame]);
    };
    const red: PortRole = { kind: 'community', name: 'red' };
    const promiscuous: PortRole = { kind: 'promiscuous' };
    expect(from({ kind: 'isolated' })).toEqual([{ kind: 'role', port: 'b', role: promiscuous }]);
    expect(from(red)).toEqual([{ kind: 'role', port: 'b', role: red }]);
    expect(from({ kind: 'isolated' }, { role: red })).toEqual([{ kind: 'role', port: 'a', role: red }]);
    const to = { ...layer, to: mac('ff:ff:ff:ff:ff:ff'), dst: ip('255.255.255.255') };
    expect(from({ kind: 'isolated' }, {}, udpFrame(to, 1, 53))).toEqual([
      { kind: 'not-isolated', network: 'n1' },
    ]);
  });

  test('nothing helps where nobody has the destination', () => {
    expect(ask(udpFrame({ ...layer, to: mac('02:00:00:00:00:99') }, 1, 2))).toBeNull();
  });
});

/**
 * The same world without any guard or rule. Port security off takes pairs away, and with them MACs, so both ways count:
 * no change of ports helps a packet that one of them drops.
 */
const open = (world: World, pairs: 'kept' | 'gone'): World => ({
  ...world,
  networks: new Map(
    [...world.networks].map(([id, network]) => [id, { ...network, adminUp: true, isolated: false }]),
  ),
  ports: new Map(
    [...world.ports.values()]
      .map((one) => (pairs === 'kept' ? one : { ...one, pairs: [] }))
      .map((one) => [one.id, { ...one, mode: 'off', groups: [], adminUp: true }]),
  ),
});

test('with the suggested changes made, every packet passes', () => {
  let suggested = 0;
  const kinds = new Set<PolicyChange['kind']>();
  const result = fc.check(
    fc.property(
      worldArbitrary.chain((world) => stepsArbitrary(world, 30).map((steps) => ({ world, steps }))),
      ({ world, steps }) => {
        let trackers: Trackers = new Map();
        for (const { sender, frames } of steps) {
          const [first, ...others] = frames;
          if (first === undefined) continue;
          const where = { host, port: sender };
          const pieces = [first, ...others] as const;
          const walked = walk(world, where, trackers, pieces);
          const refusal = refusalOf(walked);
          const changes = suggest(world, where, trackers, pieces);
          if (refusal === null) expect(changes).toEqual([]);
          else if (changes === null) {
            const helps = (['kept', 'gone'] as const).every(
              (kind) => refusalOf(walk(open(world, kind), where, trackers, pieces)) === null,
            );
            if (helps)
              throw new Error(
                `no change found\n${worldText(world)}\n${stepText({ sender, frames })}\n${refusal.port} ${refusal.reason}`,
              );
          } else {
            suggested += 1;
            for (const { kind } of changes) kinds.add(kind);
            const passesWith = (some: readonly PolicyChange[]) =>
              refusalOf(walk(some.reduce(changed, world), where, trackers, pieces)) === null;
            expect(passesWith(changes)).toBe(true);
            for (const change of changes)
              expect(passesWith(changes.filter((other) => other !== change))).toBe(false);
          }
          trackers = walked.trackers;
        }
      },
    ),
    { numRuns: 60, seed: 1, endOnFailure: true },
  );
  if (result.failed) expect.fail(String(result.errorInstance));
  expect(suggested).toBeGreaterThan(300);
  expect([...kinds].sort()).toEqual([
    'dhcp-server',
    'mode',
    'network-up',
    'not-isolated',
    'pair',
    'port-up',
    'role',
    'rule',
  ]);
});
