/** What counts as a claim, in each form, and what does not; and what a claim writes. */
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { arpFrame, icmpFrame, ip, mac, noMac } from '../../../test/lib/frames.ts';
import { networkFrom, portFrom } from '../../../test/proofs/worlds.ts';
import { preferredNetworkKey, preferredPortKey } from '../../model/numbers.ts';
import { broadcastMac } from '../../net/mac.ts';
import { icmpv6Types, naFlags, neighbourMessage, targetOption } from '../../net/packet/icmpv6.ts';
import { Pipeline } from '../../pipeline/flow-derivation.ts';
import { claimMark } from '../../pipeline/punt-data.ts';
import type { Zone } from '../../pipeline/zone.ts';
import type { NetworkId, PortId } from '../../policy/world.ts';
import { claims, readClaim } from './claims.ts';
import type { PuntOutcome } from './handler.ts';

const vip = '10.0.0.100';
const shared = '00:00:5e:00:01:0a';
const network = 'n1' as NetworkId;
const arp = (op: number, spa: string, tpa: string): Buffer =>
  arpFrame({
    from: mac(shared),
    to: broadcastMac,
    op,
    sha: mac(shared),
    spa: ip(spa),
    tha: noMac,
    tpa: ip(tpa),
  });
const advertisement = (flags: number): Buffer => {
  const [from, target] = [mac(shared), ip('2001:db8::100')];
  const layer = { from, to: mac('33:33:00:00:00:01'), src: target, dst: ip('ff02::1'), hopLimit: 255 };
  return icmpFrame(
    layer,
    neighbourMessage(icmpv6Types.neighbourAdvertisement, flags, target, [targetOption(from)]),
  );
};

let pipeline: Pipeline;
beforeEach(() => {
  pipeline = new Pipeline();
  const { facts } = pipeline;
  facts.networks.set(network, networkFrom({ id: network }));
  facts.networkKeys.set(network, preferredNetworkKey(network));
  facts.zones.set(network, 1 as Zone);
  for (const [at, id] of ['p', 'q'].entries()) {
    const port = portFrom({
      id,
      network,
      mac: `02:00:00:00:00:0${at}`,
      pairs: [
        [vip, shared],
        ['10.0.1.0/24', shared],
      ],
    });
    facts.ports.set(port.id, port);
    facts.portKeys.set(port.id, preferredPortKey(id));
    facts.ofports.set(port.id, at + 1);
  }
  pipeline.run();
});

const handle = (data: Buffer): PuntOutcome => {
  const local = pipeline.relations.locals.get('p' as PortId) ?? expect.unreachable();
  return claims.handle({ data, local, fields: {} }, pipeline);
};
const own = { network, address: ip(vip), mac: mac(shared), generation: 1 } as const;

test('gratuitous ARP in each form, answers and advertisements claim', () => {
  for (const [frame, how] of [
    [arp(1, vip, vip), 'announcement'],
    [arp(2, vip, vip), 'announcement'],
    [arp(2, vip, '0.0.0.0'), 'announcement'],
    [arp(2, vip, '10.0.0.1'), 'answer'],
    [arp(claimMark.arpOp, vip, vip), 'announcement'],
  ] as const)
    expect(readClaim(frame)).toMatchObject({ address: ip(vip), mac: shared, how });
  expect(readClaim(advertisement(naFlags.override))).toMatchObject({ how: 'announcement' });
  expect(readClaim(advertisement(naFlags.solicited))).toMatchObject({ how: 'answer' });
});

test('probes and questions do not', () => {
  for (const frame of [arp(1, '0.0.0.0', vip), arp(1, vip, '10.0.0.1'), arp(2, '0.0.0.0', vip)])
    expect(readClaim(frame)).toBeNull();
});

test('a claim is one more generation of the record; the same again writes nothing', () => {
  const outcome = handle(arp(1, vip, vip));
  if (outcome.kind !== 'claimed') throw new Error(outcome.kind);
  expect(outcome.key).toBe(`owners/n1/${vip}`);
  const written = (present: string | null) => JSON.parse(outcome.next(present) ?? 'null') as object | null;
  expect(written(null)).toMatchObject({ port: 'p', host: 'here', mac: shared, generation: 1 });
  expect(written(JSON.stringify({ port: 'q', mac: shared, generation: 7 }))).toMatchObject({ generation: 8 });
  expect(written(JSON.stringify({ port: 'p', mac: shared, generation: 7 }))).toBeNull();
  pipeline.facts.owners.set(`n1|${vip}`, { ...own, port: 'p' as PortId });
  expect(handle(arp(1, vip, vip))).toEqual({ kind: 'ignored' });
  pipeline.facts.owners.set(`n1|${vip}`, { ...own, port: 'q' as PortId });
  expect(handle(arp(1, vip, vip)).kind).toBe('claimed');
});

test('what no other port may have, or the port itself may not, is nobody’s to claim', () => {
  expect(handle(arp(1, '10.0.1.7', '10.0.1.7')).kind).toBe('claimed');
  expect(handle(arp(1, '10.0.2.7', '10.0.2.7'))).toEqual({ kind: 'ignored' });
  pipeline.facts.ports.delete('q' as PortId);
  expect(handle(arp(1, vip, vip))).toEqual({ kind: 'ignored' });
});

test('whatever bytes come, nothing throws', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (data) => void handle(Buffer.from(data))));
  for (const frame of [arp(1, vip, vip), advertisement(0)])
    for (let length = 0; length < frame.length; length++)
      expect(() => handle(frame.subarray(0, length))).not.toThrow();
});
