/** A guest that sends frames at a fixed rate, or none. One process does it, so that a change of frames is cheap. */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Background, Guest } from '../../test/lib/netns.ts';
import { until } from '../../test/lib/wait.ts';

const program = fileURLToPath(new URL('send-frames.py', import.meta.url));

export async function writeFrames(file: string, frames: readonly Buffer[]): Promise<void> {
  const parts = frames.flatMap((frame) => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(frame.length);
    return [length, frame];
  });
  await writeFile(file, Buffer.concat(parts));
}

export class PacedSender implements AsyncDisposable {
  readonly #process: Background;

  private constructor(process: Background) {
    this.#process = process;
  }

  /** `rate`: frames a second. */
  static async start(guest: Guest, rate: number, files: readonly string[]): Promise<PacedSender> {
    const sender = new PacedSender(guest.start('python3', program, 'eth0', String(rate), ...files));
    await sender.#printed('ready');
    return sender;
  }

  async #printed(word: string, times = 1): Promise<void> {
    await until(() => this.#process.output.split(`${word}\n`).length > times || !this.#process.running, {
      timeout: 60_000,
      what: `the sender prints ${word}`,
    });
    if (!this.#process.running) throw new Error(`the sender ended: ${this.#process.output}`);
  }

  /** Sends the frames of a file again and again. */
  send(file: number): void {
    this.#process.write(`${file}\n`);
  }

  rest(): void {
    this.#process.write('stop\n');
  }

  /** Sends each frame of a file once. */
  async sendOnce(file: number): Promise<void> {
    const before = this.#process.output.split('done\n').length;
    this.#process.write(`once ${file}\n`);
    await this.#printed('done', before);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
  }
}
