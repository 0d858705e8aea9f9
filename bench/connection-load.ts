/**
 * TCP connections that are opened and closed at once, as a program for a guest's namespace.
 *
 * Idea: `server PORT` prints a line when it listens. `client HOST PORT COUNT CONCURRENCY` makes COUNT
 * connections and prints their outcomes as JSON.
 *
 * Invariants: source ports go in order, because the kernel would reuse one while the switch still tracks its
 * last connection. The server closes first, so that the client's ports are not held back.
 */
import { connect, createServer } from 'node:net';

export interface LoadResult {
  readonly connections: number;
  readonly failed: number;
  readonly seconds: number;
}

const firstPort = 10_000;

function serve(port: number): void {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end();
    socket.resume();
  });
  server.listen({ port, host: '0.0.0.0', backlog: 1024 }, () => process.stdout.write('listening\n'));
}

/** Resolves with whether the connection was accepted and closed in order. */
function visit(host: string, port: number, localPort: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, localPort, family: 4 });
    let connected = false;
    socket.on('connect', () => (connected = true));
    socket.on('error', () => (connected = false));
    socket.on('close', () => resolve(connected));
    socket.resume();
  });
}

async function load(host: string, port: number, count: number, concurrency: number): Promise<LoadResult> {
  let next = 0;
  let failed = 0;
  const begin = performance.now();
  const lane = async () => {
    while (next < count) if (!(await visit(host, port, firstPort + next++))) failed++;
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return { connections: count - failed, failed, seconds: (performance.now() - begin) / 1000 };
}

const [mode, ...rest] = process.argv.slice(2);
if (mode === 'server') serve(Number(rest[0]));
else if (mode === 'client') {
  const [host = '', port, count, concurrency] = rest;
  const result = await load(host, Number(port), Number(count), Number(concurrency));
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
