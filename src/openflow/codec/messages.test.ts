import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Writer } from '../../base/bytes.ts';
import { Fault } from '../../base/errors.ts';
import type { Action } from '../flow.ts';
import { messages } from '../testing/arbitraries.ts';
import { vectors } from '../testing/vectors.ts';
import { decodeMessage, encodeMessage, putMessage } from './messages.ts';

const frames = vectors.flatMap(({ sent, received }) => [...sent, ...received]);

/** Decodes, and accepts only the faults that a codec may throw. */
function tryDecode(frame: Buffer): void {
  try {
    decodeMessage(frame);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    expect(['Malformed', 'Truncated']).toContain(error.name);
  }
}

describe('messages', () => {
  it('are the same after a round trip', () => {
    fc.assert(
      fc.property(messages, fc.nat(0xffffffff), (message, xid) => {
        expect(decodeMessage(encodeMessage(message, xid))).toEqual({ xid, message });
      }),
      { numRuns: 2000 },
    );
  });

  it('have their own length, a multiple of what follows them', () => {
    fc.assert(
      fc.property(messages, (message) => {
        const bytes = encodeMessage(message, 1);
        expect(bytes.readUInt16BE(2)).toBe(bytes.length);
      }),
    );
  });

  it('leave the writer unchanged when they do not fit', () => {
    const w = new Writer();
    w.u32(7);
    const huge = Array.from({ length: 5000 }, (): Action => ({ type: 'resubmit', table: 1 }));
    const mod = { type: 'flow_mod', command: 'add', table: 0, priority: 1, cookie: 0n, match: {} } as const;
    expect(() => putMessage(w, { ...mod, actions: huge }, 1)).toThrow(
      expect.objectContaining({ name: 'Unencodable' }),
    );
    expect(() => putMessage(w, { ...mod, actions: [], match: { ip_proto: 256 } }, 1)).toThrow(
      'ip_proto cannot hold 256',
    );
    expect(() =>
      putMessage(w, { ...mod, actions: [], match: { ip_proto: { value: 1, mask: 3 } } }, 1),
    ).toThrow('no mask');
    expect(() => putMessage(w, { ...mod, actions: [], priority: 70_000 }, 1)).toThrow(
      expect.objectContaining({ name: 'Unencodable' }),
    );
    expect(w.length).toBe(4);
  });
});

describe('a peer that sends garbage', () => {
  it('causes at most Malformed: random bytes behind any header', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.uint8Array({ maxLength: 300 }), (type, body) => {
        tryDecode(Buffer.concat([Buffer.from([6, type, 0, 0, 0, 0, 0, 1]), body]));
      }),
      { numRuns: 5000 },
    );
  });

  it('causes at most Malformed: real frames with bytes changed, cut or doubled', () => {
    const change = fc.tuple(fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(
        fc.constantFrom(...frames),
        fc.array(change, { maxLength: 6 }),
        fc.nat(),
        (frame, changes, cut) => {
          const bytes = Buffer.from(frame);
          for (const [at, value] of changes) bytes.writeUInt8(value, at % bytes.length);
          tryDecode(bytes);
          tryDecode(bytes.subarray(0, 8 + (cut % bytes.length)));
          tryDecode(Buffer.concat([bytes, frame.subarray(8)]));
        },
      ),
      { numRuns: 5000 },
    );
  });
});
