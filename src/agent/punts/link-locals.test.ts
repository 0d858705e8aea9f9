/** The parser of punted probes and the handler, on recorded frames, cut at every byte and mutated. */
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { networkFrom, portFrom } from '../../../test/proofs/worlds.ts';
import { preferredNetworkKey, preferredPortKey } from '../../model/numbers.ts';
import { parseMac } from '../../net/mac.ts';
import { Pipeline } from '../../pipeline/flow-derivation.ts';
import { puntKinds, readPuntData, writePuntData } from '../../pipeline/punt-data.ts';
import type { Zone } from '../../pipeline/zone.ts';
import type { NetworkId, PortId } from '../../policy/world.ts';
import type { PuntView } from './handler.ts';
import { linkLocals, readProbe } from './link-locals.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

/** Frames as the switch sent them up: probes with and without a nonce (RFC 7527), others that are near to one. */
const recorded = {
  probe: hex(`3333ff00abcd 020000000001 86dd 6000000000183aff 00000000000000000000000000000000
    ff0200000000000000000001ff00abcd 8700a0b300000000 fe80000000000000000000000000abcd`),
  nonce: hex(`3333ff00abcd 020000000001 86dd 6000000000203aff 00000000000000000000000000000000
    ff0200000000000000000001ff00abcd 8700000000000000 fe80000000000000000000000000abcd 0e01a1b2c3d4e5f6`),
  global: hex(`3333ff00abcd 020000000001 86dd 6000000000183aff 00000000000000000000000000000000
    ff0200000000000000000001ff00abcd 8700000000000000 fd00000000000000000000000000abcd`),
  options: hex(`3333ff00abcd 020000000001 86dd 6000000000303aff 00000000000000000000000000000000
    ff0200000000000000000001ff00abcd 8700000000000000 fe80000000000000000000000000abcd
    0101020000000001 0000000000000000 ff01000000000000`),
  hopByHop: hex(`3333ff00abcd 020000000001 86dd 6000000000200000ff 3a00050200000000`),
};
const frames = Object.values(recorded);

let view: PuntView;
let pipeline: Pipeline;
beforeEach(() => {
  pipeline = new Pipeline();
  const network = 'n1' as NetworkId;
  const { facts } = pipeline;
  const port = portFrom({ id: 'p', network, mac: '02:00:00:00:00:01', ips: ['10.0.0.1'] });
  facts.ports.set(port.id, port);
  facts.ofports.set(port.id, 1);
  facts.zones.set(network, 1 as Zone);
  facts.networks.set(network, networkFrom({ id: network }));
  facts.networkKeys.set(network, preferredNetworkKey(network));
  facts.portKeys.set(port.id, preferredPortKey(port.id));
  pipeline.run();
  view = pipeline;
});

const local = () => pipeline.relations.locals.get('p' as PortId) ?? expect.unreachable();
const handle = (data: Uint8Array) => linkLocals.handle({ data, local: local(), fields: {} }, view);

test('a recorded probe is read, also with a nonce; a probe for a global address is none of it', () => {
  const mac = parseMac('02:00:00:00:00:01');
  for (const frame of [recorded.probe, recorded.nonce]) expect(readProbe(frame)).toMatchObject({ mac });
  expect(readProbe(recorded.global)).toBeNull();
});

test('whatever is cut off a recorded frame, nothing throws, and a probe without its target is none', () => {
  for (const frame of frames)
    for (let length = 0; length < frame.length; length++) {
      const cut = frame.subarray(0, length);
      expect(() => handle(cut)).not.toThrow();
      if (frame === recorded.probe) expect(readProbe(cut)).toBeNull();
    }
});

test('whatever bytes of a recorded frame are changed, inserted or repeated, nothing throws', () => {
  const mutation = fc.record({
    at: fc.nat(120),
    bytes: fc.uint8Array({ maxLength: 12 }),
    removed: fc.nat(8),
  });
  const mutated = fc
    .tuple(fc.constantFrom(...frames), fc.array(mutation, { minLength: 1, maxLength: 6 }))
    .map(([frame, mutations]) =>
      mutations.reduce<Buffer>(
        (bytes, { at, bytes: more, removed }) =>
          Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at + removed)]),
        frame,
      ),
    );
  fc.assert(
    fc.property(mutated, (data) => {
      const outcome = handle(data);
      // Whatever the frame says, only the port's own MAC and link-local addresses are ever recorded.
      if (outcome.kind !== 'recorded') return;
      expect(outcome.put.key).toMatch(/^link-locals\/n1\/fe[89ab]/);
      expect(JSON.parse(outcome.put.value)).toEqual({ port: 'p', mac: '02:00:00:00:00:01' });
    }),
    { numRuns: 2000 },
  );
});

test('arbitrary bytes do not throw either', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (data) => void handle(data)));
});

test('a probe from another MAC than the port’s is ignored', () => {
  const forged = Buffer.from(recorded.nonce);
  forged[11] = 9;
  expect(handle(forged)).toEqual({ kind: 'ignored' });
});

test('userdata is read as it was written; of another kind, version or length it is nobody’s', () => {
  const about = { kind: 'link-local', networkKey: local().networkKey, key: local().key } as const;
  const data = writePuntData(about);
  expect(readPuntData(data)).toEqual(about);
  const codes = new Set<number | undefined>(Object.values(puntKinds).map(({ code }) => code));
  for (let n = 0; n < 256; n++) {
    if (!codes.has(n)) expect(readPuntData(Uint8Array.from([n, ...data.subarray(1)]))).toBeNull();
    if (n !== data[1])
      expect(readPuntData(Uint8Array.from([data[0] ?? 0, n, ...data.subarray(2)]))).toBeNull();
  }
  for (let length = 0; length < data.length; length++)
    expect(readPuntData(data.subarray(0, length))).toBeNull();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void readPuntData(bytes)));
  // As versions before 1 wrote it.
  expect(readPuntData(Buffer.from('12345678-1234-1234-1234-123456789012'))).toBeNull();
});
