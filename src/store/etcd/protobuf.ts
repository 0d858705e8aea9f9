/**
 * Protocol Buffers' wire format, as far as etcd's messages need it: varints, byte strings, nested messages. Knows no
 * message. Integers are numbers: revisions and our lease ids stay far below 2^53.
 */

export class ProtoMessage {
  readonly #parts: Buffer[] = [];

  /** Zero is the default and is not written. */
  int(field: number, value: number): this {
    if (value !== 0) this.#parts.push(varint(field * 8), varint(value));
    return this;
  }

  bool(field: number, value: boolean): this {
    return this.int(field, value ? 1 : 0);
  }

  bytes(field: number, value: Buffer | string): this {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    if (bytes.length > 0) this.#parts.push(varint(field * 8 + 2), varint(bytes.length), bytes);
    return this;
  }

  /** Written also when it is empty: its presence says something. */
  message(field: number, message: ProtoMessage): this {
    const bytes = message.encode();
    this.#parts.push(varint(field * 8 + 2), varint(bytes.length), bytes);
    return this;
  }

  encode(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  while (left >= 128) {
    bytes.push((left % 128) | 128);
    left = Math.floor(left / 128);
  }
  bytes.push(left);
  return Buffer.from(bytes);
}

/** The fields of a message by number, decoded when they are asked for. */
export class Fields {
  readonly #ints = new Map<number, number>();
  readonly #bytes = new Map<number, Buffer[]>();

  /** Throws `RangeError` for what is no message. */
  constructor(buffer: Buffer) {
    let at = 0;
    const next = (): number => {
      let value = 0;
      let scale = 1;
      for (;;) {
        const byte = buffer[at++];
        if (byte === undefined) throw new RangeError('a message is cut');
        value += (byte & 127) * scale;
        if (byte < 128) return value;
        scale *= 128;
      }
    };
    while (at < buffer.length) {
      const tag = next();
      const field = Math.floor(tag / 8);
      const wireType = tag % 8;
      if (wireType === 0) this.#ints.set(field, next());
      else if (wireType === 2) {
        const length = next();
        if (at + length > buffer.length) throw new RangeError('a message is cut');
        const list = this.#bytes.get(field);
        const part = buffer.subarray(at, at + length);
        if (list === undefined) this.#bytes.set(field, [part]);
        else list.push(part);
        at += length;
      } else if (wireType === 1 || wireType === 5) at += wireType === 1 ? 8 : 4;
      else throw new RangeError(`wire type ${wireType}`);
    }
  }

  /** An int64 below zero reads as a number near 2^64. */
  int(field: number): number {
    return this.#ints.get(field) ?? 0;
  }

  bool(field: number): boolean {
    return this.int(field) !== 0;
  }

  text(field: number): string {
    return this.#bytes.get(field)?.at(-1)?.toString() ?? '';
  }

  message(field: number): Fields | null {
    const bytes = this.#bytes.get(field)?.at(-1);
    return bytes === undefined ? null : new Fields(bytes);
  }

  messages(field: number): readonly Fields[] {
    return (this.#bytes.get(field) ?? []).map((bytes) => new Fields(bytes));
  }
}
