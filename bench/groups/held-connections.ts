/**
 * TCP connections that are kept open, as a program for a guest's namespace.
 *
 * Idea: `server PORT…` echoes, and prints a line when it listens. `client HOST COUNT PORT…` opens COUNT
 * connections to each port and prints a line of JSON when they are established. It then reads lines of ports.
 * For each line it sends a byte on every connection to those ports, and prints how many echoes came back.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

/** Source ports go in order: the kernel would take ever longer to find a free one. */
const firstPort = 10_000;
const concurrency = 32;
/** Milliseconds within which an echo must come; lost packets are retransmitted by then. */
const echoTimeout = 10_000;
/** Bytes sent at once: more would overflow the buffers of the switch's packet sockets. */
const burst = 50;

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

/** How many of the connections answer. */
async function alive(sockets: readonly Socket[]): Promise<number> {
  const answered = new Set<Socket>();
  const listeners = sockets.map((socket) => {
    const listener = () => answered.add(socket);
    socket.on('data', listener);
    return () => socket.off('data', listener);
  });
  for (let at = 0; at < sockets.length; at += burst) {
    for (const socket of sockets.slice(at, at + burst)) socket.write('.');
    await delay(5);
  }
  for (let waited = 0; waited < echoTimeout && answered.size < sockets.length; waited += 10) await delay(10);
  for (const unlisten of listeners) unlisten();
  return answered.size;
}

async function hold(host: string, count: number, ports: readonly number[]): Promise<void> {
  const held = new Map<number, readonly Socket[]>();
  const say = (counts: Iterable<readonly [number, number]>) =>
    process.stdout.write(`${JSON.stringify(Object.fromEntries(counts))}\n`);
  for (const port of ports) held.set(port, await openAll(host, count, port));
  say([...held].map(([port, sockets]) => [port, sockets.length] as const));
  for await (const line of createInterface({ input: process.stdin })) {
    const counts: [number, number][] = [];
    for (const port of line.split(' ').map(Number)) counts.push([port, await alive(held.get(port) ?? [])]);
    say(counts);
  }
}

const [mode, ...rest] = process.argv.slice(2);
if (mode === 'server') await serve(rest.map(Number));
else if (mode === 'client') {
  const [host = '', count, ...ports] = rest;
  await hold(host, Number(count), ports.map(Number));
}
