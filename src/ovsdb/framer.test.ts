import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JsonFramer } from './framer.ts';

const messages = [
  { method: 'echo', params: [], id: 1 },
  { text: '}{][\\"\\\\" {"a":1}', 'ключ "{': '\u{1f512}ü€\u0000' },
  { deep: [[[{ a: [1, 2, { b: null }] }]]] },
  {},
];
const stream = Buffer.from(messages.map((message) => JSON.stringify(message)).join(''));

function collect(chunks: readonly Buffer[], framer = new JsonFramer()): unknown[] {
  const out: unknown[] = [];
  for (const chunk of chunks) framer.push(chunk, (message) => out.push(message));
  return out;
}

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  return edges.slice(1).map((end, i) => bytes.subarray(edges[i] ?? 0, end));
}

test('a cut at any byte changes nothing', () => {
  for (let at = 0; at <= stream.length; at++) expect(collect(cut(stream, [at]))).toEqual(messages);
  expect(collect([...stream].map((byte) => Buffer.from([byte])))).toEqual(messages);
});

test('any messages come out as they went in, whatever the cuts and the space between', () => {
  const text = fc.array(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 5 })));
  fc.assert(
    fc.property(text, fc.array(fc.nat()), fc.constantFrom('', ' ', '\n\t\r '), (values, cuts, space) => {
      const bytes = Buffer.from(values.map((value) => JSON.stringify(value)).join(space));
      const places = cuts.map((place) => place % (bytes.length + 1));
      expect(collect(cut(bytes, places)).map((value) => JSON.stringify(value))).toEqual(
        values.map((value) => JSON.stringify(value)),
      );
    }),
  );
});

test('arbitrary bytes give objects or a FramerFault, nothing else', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc
      .string({ unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', '1', ' ') })
      .map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(noise, (bytes) => {
      try {
        for (const message of collect([Buffer.from(bytes)])) expect(message).toBeTypeOf('object');
      } catch (error) {
        expect(error).toMatchObject({ data: { code: 'BadJson' } });
      }
    }),
    { numRuns: 2000 },
  );
});

test('messages before the garbage are delivered', () => {
  const out: unknown[] = [];
  const push = () => new JsonFramer().push(Buffer.from('{"a":1}x'), (message) => out.push(message));
  expect(push).toThrow(expect.objectContaining({ name: 'BadJson' }));
  expect(out).toEqual([{ a: 1 }]);
});

test.each(['[1]', '1', '"a"', '{]', '{"a":}', '\u00ef'])('%s is refused', (text) => {
  expect(() => collect([Buffer.from(text)])).toThrow(expect.objectContaining({ name: 'BadJson' }));
});

test('bytes that are not UTF-8 are refused', () => {
  const bytes = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc3]), Buffer.from('"}')]);
  expect(() => collect([bytes])).toThrow(expect.objectContaining({ name: 'BadJson' }));
});

test('a message may not exceed its limits, complete or not', () => {
  const limits = { bytes: 20, depth: 3 };
  expect(collect([Buffer.from('{"a":[[1]]}{"a":[[1]]}')], new JsonFramer(limits))).toHaveLength(2);
  for (const text of ['{"a":"12345678901234567890"}', '{"a":"12345678901234567890', '{"a":[[[1]]]}'])
    expect(() => collect([Buffer.from(text)], new JsonFramer(limits))).toThrow(
      expect.objectContaining({ name: 'TooLarge' }),
    );
});
