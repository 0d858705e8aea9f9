/**
 * Cuts a byte stream into JSON objects that follow each other without a delimiter, as in JSON-RPC over a
 * stream (RFC 7047, section 4). The scanner looks at each byte once, however the stream is chunked. Only
 * ASCII bytes steer it, so a chunk may end inside a multi-byte character. Knows nothing of JSON-RPC.
 */
import { Fault, reasonOf } from '../base/errors.ts';

export type FramerFault =
  /** Something other than an object, or an object that is not JSON or not UTF-8. */
  | { readonly code: 'BadJson' }
  /** A message is longer or nested deeper than the limits. */
  | { readonly code: 'TooLarge'; readonly limit: number };

export interface FramerLimits {
  /** Bytes of one message. */
  readonly bytes: number;
  /** Levels of objects and arrays; it bounds the stack of a recursive walk over a message. */
  readonly depth: number;
}

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

const isSpace = (byte: number) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

export class JsonFramer {
  readonly #limits: FramerLimits;
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #pieces: Buffer[] = [];
  #held = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(limits: FramerLimits = { bytes: 256 * 1024 * 1024, depth: 64 }) {
    this.#limits = limits;
  }

  /** Bytes of the message that is not complete yet. */
  get pending(): number {
    return this.#held;
  }

  /**
   * Takes the next bytes and delivers each object that they complete, in order. Throws a FramerFault at the
   * first byte that cannot belong to an object. The stream has then lost its message boundaries.
   */
  push(chunk: Buffer, deliver: (message: unknown) => void): void {
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === backslash) this.#escaped = true;
        else if (byte === quote) this.#inString = false;
        continue;
      }
      if (this.#depth === 0) {
        if (isSpace(byte)) continue;
        if (byte !== openBrace) throw badJson(`byte 0x${byte.toString(16)} where an object should begin`);
        start = at;
        this.#depth = 1;
      } else if (byte === quote) this.#inString = true;
      else if (byte === openBrace || byte === openBracket) {
        if (++this.#depth > this.#limits.depth) throw tooLarge('levels', this.#limits.depth);
      } else if ((byte === closeBrace || byte === closeBracket) && --this.#depth === 0) {
        this.#hold(chunk.subarray(start, at + 1));
        deliver(this.#take());
      }
    }
    // The kept part is copied: a socket's chunk is a view into a slab, which would stay allocated with it.
    if (this.#depth > 0) this.#hold(Buffer.from(chunk.subarray(start)));
  }

  #hold(piece: Buffer): void {
    this.#held += piece.length;
    if (this.#held > this.#limits.bytes) throw tooLarge('bytes', this.#limits.bytes);
    this.#pieces.push(piece);
  }

  #take(): unknown {
    const [only] = this.#pieces;
    const whole = this.#pieces.length === 1 && only !== undefined ? only : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#held = 0;
    try {
      return JSON.parse(this.#utf8.decode(whole));
    } catch (error) {
      throw badJson(reasonOf(error), error);
    }
  }
}

function badJson(reason: string, cause?: unknown): Fault<FramerFault> {
  return new Fault<FramerFault>({ code: 'BadJson' }, `not JSON: ${reason}`, cause);
}

function tooLarge(unit: string, limit: number): Fault<FramerFault> {
  return new Fault<FramerFault>({ code: 'TooLarge', limit }, `message exceeds ${limit} ${unit}`);
}
