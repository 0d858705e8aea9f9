/** Reads the frames of a dummy port's capture file, once whole or as it grows. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';

const fileHeader = 24;
const recordHeader = 16;

/** The new frames of a growing file since the last call. */
export class PcapTail {
  readonly #file: string;
  #offset = fileHeader;

  constructor(file: string) {
    this.#file = file;
  }

  /** Complete frames only; one that is being written comes with the next call. */
  take(): Buffer[] {
    const bytes = readFrom(this.#file, this.#offset);
    const frames: Buffer[] = [];
    let at = 0;
    while (at + recordHeader <= bytes.length) {
      const length = bytes.readUInt32LE(at + 8);
      const end = at + recordHeader + length;
      if (end > bytes.length) break;
      frames.push(bytes.subarray(at + recordHeader, end));
      at = end;
    }
    this.#offset += at;
    return frames;
  }
}

/** All frames so far; none when the file does not exist. */
export function readPcap(file: string): Buffer[] {
  return new PcapTail(file).take();
}

function readFrom(file: string, offset: number): Buffer {
  if (!existsSync(file)) return Buffer.alloc(0);
  const descriptor = openSync(file, 'r');
  try {
    const pieces: Buffer[] = [];
    for (let at = offset; ; ) {
      const piece = Buffer.allocUnsafe(64 * 1024);
      const size = readSync(descriptor, piece, 0, piece.length, at);
      if (size === 0) return Buffer.concat(pieces);
      pieces.push(piece.subarray(0, size));
      at += size;
    }
  } finally {
    closeSync(descriptor);
  }
}
