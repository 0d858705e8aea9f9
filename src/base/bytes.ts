/**
 * Cursors over bytes in network order: `Reader` never reads past its window, `Writer` grows by doubling.
 * Knows no protocol; codecs give the bytes their meaning.
 */
import { Fault } from './errors.ts';

export type BytesFault = { readonly code: 'Truncated'; readonly offset: number; readonly wanted: number };

const viewOf = ({ buffer, byteOffset, byteLength }: Buffer): DataView =>
  new DataView(buffer, byteOffset, byteLength);

/** Reads a window of a buffer; a read past its end throws `Truncated` with the offset. */
export class Reader {
  readonly #buffer: Buffer;
  // Its methods are part of V8; those of Buffer are JavaScript, which takes longer until it is optimized.
  readonly #view: DataView;
  readonly end: number;
  offset: number;

  constructor(buffer: Buffer, offset = 0, end = buffer.length, view = viewOf(buffer)) {
    this.#buffer = buffer;
    this.#view = view;
    this.offset = offset;
    this.end = end;
  }

  get left(): number {
    return this.end - this.offset;
  }

  #take(size: number): number {
    const at = this.offset;
    if (size < 0 || at + size > this.end) {
      throw new Fault<BytesFault>(
        { code: 'Truncated', offset: at, wanted: size },
        `truncated: ${size} bytes wanted at ${at}, ${this.end - at} left`,
      );
    }
    this.offset = at + size;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }
  /** An unsigned integer of `size` bytes (any size). */
  uint(size: number): bigint {
    const at = this.#take(size);
    let value = 0n;
    for (let i = 0; i < size; i++) value = (value << 8n) | BigInt(this.#view.getUint8(at + i));
    return value;
  }
  /** A view, not a copy. */
  bytes(size: number): Buffer {
    const at = this.#take(size);
    return this.#buffer.subarray(at, at + size);
  }
  rest(): Buffer {
    return this.bytes(this.left);
  }
  skip(size: number): void {
    this.#take(size);
  }
  /** A reader over the next `size` bytes. This reader then stands behind them. */
  window(size: number): Reader {
    const at = this.#take(size);
    return new Reader(this.#buffer, at, at + size, this.#view);
  }
}

function checkU16(value: number): void {
  if (value < 0 || value > 0xffff) throw new RangeError(`${value} does not fit into 16 bits`);
}

/** Appends to a buffer that doubles when it is full. `patchU16` fills in lengths afterwards. */
export class Writer {
  #buffer: Buffer;
  #view: DataView;
  #length = 0;

  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafe(capacity);
    this.#view = viewOf(this.#buffer);
  }

  get length(): number {
    return this.#length;
  }

  #grow(size: number): number {
    const at = this.#length;
    const need = at + size;
    if (need > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(need, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, at);
      this.#buffer = grown;
      this.#view = viewOf(grown);
    }
    this.#length = need;
    return at;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#buffer[at] = value;
    return this;
  }
  u16(value: number): this {
    checkU16(value);
    const at = this.#grow(2);
    this.#view.setUint16(at, value);
    return this;
  }
  u32(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value);
    return this;
  }
  u64(value: bigint): this {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, value);
    return this;
  }
  /** An unsigned integer in `size` bytes, high bits dropped. */
  uint(value: number | bigint, size: number): this {
    if (typeof value === 'number' && size <= 4) {
      let at = this.#grow(size) + size;
      let rest = value;
      for (let i = 0; i < size; i++) {
        this.#buffer[--at] = rest & 0xff;
        rest = Math.floor(rest / 256);
      }
      return this;
    }
    let at = this.#grow(size) + size;
    let rest = BigInt(value);
    for (let i = 0; i < size; i++) {
      this.#buffer[--at] = Number(rest & 0xffn);
      rest >>= 8n;
    }
    return this;
  }
  bytes(data: Uint8Array): this {
    const at = this.#grow(data.length);
    this.#buffer.set(data, at);
    return this;
  }
  zeros(count: number): this {
    const at = this.#grow(count);
    this.#buffer.fill(0, at, at + count);
    return this;
  }
  /** Zero bytes up to the next multiple of `size`, counted from `from`. */
  align(size: number, from = 0): this {
    const over = (this.#length - from) % size;
    return over === 0 ? this : this.zeros(size - over);
  }
  /** Removes everything past `length`; keeps the capacity. */
  truncate(length: number): void {
    this.#length = Math.min(length, this.#length);
  }
  patchU16(at: number, value: number): void {
    checkU16(value);
    this.#view.setUint16(at, value);
  }
  patchU32(at: number, value: number): void {
    this.#view.setUint32(at, value);
  }
  /** The bytes that were written: a view, valid only until the next write. */
  done(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}
