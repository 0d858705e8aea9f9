/**
 * TCP connections that are kept open, as a program for a guest's namespace: `server PORT…` echoes and says a line when
 * it listens; `client HOST COUNT PORT…` opens COUNT connections to each port and prints a line of JSON when they stand.
 * Each line that it then reads makes it send a byte on every connection; it prints how many of each port's came back.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

/** Source ports go in order: left to the kernel, finding a free one takes ever longer. */
const firstPort = 10_000;
const concurrency = 32;
/** Milliseconds in which an echo must have come. */
const patience = 1500;

async function serve(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', (chunk: Buffer) => socket.write(chunk));
    });
    server.listen({ port, host: '0.0.0.0', backlog: 4096 });
    await once(server, 'listening');
  }
  process.stdout.write('listening\n');
}

async function open(host: string, port: number, localPort: number): Promise<Socket> {
  const socket = connect({ host, port, localPort, family: 4 });
  await once(socket, 'connect');
  socket.on('error', () => socket.destroy());
  return socket;
}

async function openAll(host: string, count: number, port: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  let next = 0;
  const lane = async () => {
    while (next < count) sockets.push(await open(host, port, firstPort + next++));
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return sockets;
}

async function hold(host: string, count: number, ports: readonly number[]): Promise<void> {
  const held = new Map<number, readonly Socket[]>();
  const echoes = new Map<number, number>();
  for (const port of ports) {
    const sockets = await openAll(host, count, port);
    held.set(port, sockets);
    for (const socket of sockets)
      socket.on('data', (chunk: Buffer) => echoes.set(port, (echoes.get(port) ?? 0) + chunk.length));
  }
  const say = (counts: Iterable<readonly [number, number]>) =>
    process.stdout.write(`${JSON.stringify(Object.fromEntries(counts))}\n`);
  say([...held].map(([port, sockets]) => [port, sockets.length] as const));
  for await (const _ of createInterface({ input: process.stdin })) {
    for (const port of ports) echoes.set(port, 0);
    for (const sockets of held.values()) for (const socket of sockets) socket.write('.');
    const all = () => ports.every((port) => (echoes.get(port) ?? 0) >= count);
    for (let waited = 0; waited < patience && !all(); waited += 20) await delay(20);
    say(echoes);
  }
}

const [mode, ...rest] = process.argv.slice(2);
if (mode === 'server') await serve(rest.map(Number));
else if (mode === 'client') {
  const [host = '', count, ...ports] = rest;
  await hold(host, Number(count), ports.map(Number));
}
