/**
 * Offers the API at 127.0.0.1:9696 inside the switch's network namespace, wherever it listens outside.
 * Programs beside the switch reach it there.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { runAnyway } from './command.ts';
import type { Switch } from './switch.ts';
import { until } from './wait.ts';

export class Relay {
  readonly #server: Server;
  readonly #inside: ChildProcess;

  constructor(server: Server, inside: ChildProcess) {
    this.#server = server;
    this.#inside = inside;
  }

  async stop(): Promise<void> {
    this.#server.close();
    if (this.#inside.exitCode !== null || this.#inside.signalCode !== null) return;
    const exit = once(this.#inside, 'exit');
    this.#inside.kill();
    await exit;
  }
}

/** `endpoint` is called for every connection, because the process may have restarted since. */
export async function startRelay(at: Switch, endpoint: () => Promise<string>): Promise<Relay> {
  const path = `${at.dir}/api.sock`;
  const server = createServer((inner) => {
    inner.on('error', () => undefined);
    const join = async () => {
      const { hostname, port } = new URL(await endpoint());
      const outer = connect(Number(port), hostname);
      outer.on('error', () => inner.destroy());
      inner.pipe(outer).pipe(inner);
    };
    join().catch(() => inner.destroy());
  });
  server.listen(path);
  await once(server, 'listening');
  const listen = 'TCP-LISTEN:9696,bind=127.0.0.1,fork,reuseaddr';
  const [program, ...words] = at.entered('socat', listen, `UNIX-CONNECT:${path}`);
  const relay = new Relay(server, spawn(program, words, { stdio: 'ignore' }));
  const [look, ...where] = at.entered('ss', '-ltnH');
  const listens = async () => (await runAnyway(look, where)).stdout.includes(':9696');
  await until(listens, { what: 'the relay listens' });
  return relay;
}
