import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Framer } from './framer.ts';
import { vectors } from './testing/vectors.ts';

const frames = vectors.flatMap((vector) => vector.sent).slice(0, 60);
const stream = Buffer.concat(frames);
const wanted = frames.map((frame) => frame.toString('hex'));

function cut(chunks: readonly Uint8Array[]): string[] {
  const framer = new Framer();
  const found: string[] = [];
  for (const chunk of chunks) framer.push(chunk, (frame) => void found.push(frame.toString('hex')));
  return found;
}

describe('framer', () => {
  it('finds the same frames wherever the stream is cut in two', () => {
    expect(frames.length).toBeGreaterThan(40);
    for (let at = 0; at <= stream.length; at++) {
      const found = cut([stream.subarray(0, at), stream.subarray(at)]);
      if (found.join() !== wanted.join()) expect.fail(`cut at ${at}`);
    }
  });

  it('finds the same frames when every byte comes alone', () => {
    expect(cut(Array.from(stream, (_, at) => stream.subarray(at, at + 1)))).toEqual(wanted);
  });

  it('finds the same frames for any cuts, also while its buffer grows and wraps', () => {
    const long = Buffer.concat(Array<Buffer>(20).fill(stream));
    const all = Array<string[]>(20).fill(wanted).flat();
    fc.assert(
      fc.property(fc.array(fc.nat(long.length), { maxLength: 40 }), (cuts) => {
        const places = [0, ...cuts.toSorted((a, b) => a - b), long.length];
        const chunks = places.slice(1).map((end, i) => long.subarray(places[i], end));
        expect(cut(chunks)).toEqual(all);
      }),
      { numRuns: 30 },
    );
  });

  it.each([0, 1, 7])('refuses a length of %i', (length) => {
    const bad = Buffer.from([6, 0, 0, length, 0, 0, 0, 1]);
    expect(() => cut([bad])).toThrow(
      expect.objectContaining({ name: 'BadFrame', data: { code: 'BadFrame', length } }),
    );
  });

  it('stops when the handler asks for it', () => {
    const framer = new Framer();
    let seen = 0;
    framer.push(stream, () => {
      seen++;
      return false;
    });
    expect(seen).toBe(1);
  });
});
