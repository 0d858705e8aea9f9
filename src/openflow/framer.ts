/**
 * Cuts a byte stream into OpenFlow frames. Bytes are copied once into a buffer that grows by doubling. Frames
 * are views of it, valid until the next `push`. Looks only at version and length.
 */
import { Fault } from '../base/errors.ts';
import { headerLength } from './spec/numbers.ts';

export type FrameFault = { readonly code: 'BadFrame'; readonly length: number };

const initialRoom = 64 * 1024;

export class Framer {
  #buffer = Buffer.allocUnsafe(initialRoom);
  #start = 0;
  #end = 0;

  /** Bytes of an incomplete frame. */
  get pending(): number {
    return this.#end - this.#start;
  }

  #makeRoom(size: number): void {
    if (this.#end + size <= this.#buffer.length) return;
    const kept = this.pending;
    const target =
      kept + size <= this.#buffer.length / 2
        ? this.#buffer
        : Buffer.allocUnsafe(Math.max(kept + size, this.#buffer.length * 2));
    this.#buffer.copy(target, 0, this.#start, this.#end);
    this.#buffer = target;
    this.#start = 0;
    this.#end = kept;
  }

  /**
   * Takes a chunk and passes every whole frame to `onFrame`, in order. Throws `BadFrame` for a length that no
   * message has: the stream has then lost its message boundaries. `onFrame` may return false to stop.
   */
  push(chunk: Uint8Array, onFrame: (frame: Buffer) => boolean | undefined): void {
    this.#makeRoom(chunk.length);
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
    while (this.pending >= headerLength) {
      const length = this.#buffer.readUInt16BE(this.#start + 2);
      if (length < headerLength) {
        throw new Fault<FrameFault>({ code: 'BadFrame', length }, `a frame cannot have ${length} bytes`);
      }
      if (this.pending < length) break;
      const frame = this.#buffer.subarray(this.#start, this.#start + length);
      this.#start += length;
      if (onFrame(frame) === false) return;
    }
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
    }
  }
}
