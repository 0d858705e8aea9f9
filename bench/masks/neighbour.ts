/** A TCP stream between two guests that runs until it is stopped, and the switch's CPU time meanwhile. */
import { readFileSync } from 'node:fs';
import type { Background, Guest } from '../../test/lib/netns.ts';
import { until } from '../../test/lib/wait.ts';
import { threadNanoseconds } from '../process-usage.ts';

/** A wide window loses packets, because the buffers of the switch's packet sockets overflow. */
const window = ['-w', '96K'];
const forever = '86400';

/** Bytes that an interface has sent. */
function sentBytes(name: string): number {
  const line = readFileSync('/proc/self/net/dev', 'utf8')
    .split('\n')
    .find((each) => each.trim().startsWith(`${name}:`));
  return Number(line?.trim().split(/[\s:]+/)[9] ?? Number.NaN);
}

/** Counters; only differences mean something. */
export interface Reading {
  readonly seconds: number;
  readonly bytes: number;
  readonly switchSeconds: number;
}

export class NeighbourStream implements AsyncDisposable {
  readonly #server: Guest;
  readonly #programs: readonly Background[];
  readonly #vswitchd: number;

  private constructor(server: Guest, programs: readonly Background[], vswitchd: number) {
    this.#server = server;
    this.#programs = programs;
    this.#vswitchd = vswitchd;
  }

  static async start(
    client: Guest,
    server: Guest,
    address: string,
    vswitchd: number,
  ): Promise<NeighbourStream> {
    const listening = server.start('iperf3', '-s', '-1', '--forceflush');
    await until(() => listening.output.includes('listening'), { what: 'iperf3 listens' });
    const sending = client.start('iperf3', '-c', address, '-t', forever, ...window, '--forceflush');
    const stream = new NeighbourStream(server, [sending, listening], vswitchd);
    const before = stream.read().bytes;
    await until(() => stream.read().bytes > before + 1e6, { timeout: 60_000, what: 'the stream flows' });
    return stream;
  }

  read(): Reading {
    const ended = this.#programs.find(({ running }) => !running);
    if (ended !== undefined) throw new Error(`the stream ended: ${ended.output}`);
    return {
      seconds: performance.now() / 1000,
      bytes: sentBytes(this.#server.outer),
      switchSeconds: threadNanoseconds(this.#vswitchd) / 1e9,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs) await program.stop('SIGKILL');
  }
}
