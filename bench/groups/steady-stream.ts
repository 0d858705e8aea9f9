/**
 * A thousand datagrams a second, as a program for a guest's namespace: `receive PORT` and `send HOST PORT`.
 *
 * Idea: each datagram has the sender's monotonic clock, which all processes of a machine share. A late sender
 * is thus not mistaken for a late switch. The receiver answers some datagrams, so that the connection counts
 * as established. For a line `FROM TO` (nanoseconds) it prints the fate of the datagrams sent in between.
 */
import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';

export interface StreamResult {
  readonly sent: number;
  readonly lost: number;
  /**
   * The longest excess of the time between two arrivals over the time between their sendings, and the longest
   * delay.
   */
  readonly longestStallMs: number;
  readonly longestDelayMs: number;
}

interface Arrival {
  readonly sequence: number;
  readonly sent: bigint;
  readonly at: bigint;
}

const perSecond = 1000;
const answerEvery = 50;
const milliseconds = (nanoseconds: bigint): number => Number(nanoseconds) / 1e6;

function receive(port: number): void {
  const arrivals: Arrival[] = [];
  const socket = createSocket('udp4', (message, from) => {
    const arrival = {
      sequence: message.readUInt32BE(0),
      sent: message.readBigUInt64BE(4),
      at: process.hrtime.bigint(),
    };
    arrivals.push(arrival);
    if (arrival.sequence % answerEvery === 0) socket.send(message, from.port, from.address);
  });
  socket.bind(port, () => process.stdout.write('listening\n'));
  createInterface({ input: process.stdin }).on('line', (line) => {
    const [from = 0n, to = 0n] = line.split(' ').map(BigInt);
    const between = arrivals.filter(({ sent }) => sent >= from && sent < to);
    process.stdout.write(`${JSON.stringify(judge(between))}\n`);
  });
}

function judge(arrivals: readonly Arrival[]): StreamResult {
  const first = arrivals[0]?.sequence ?? 0;
  const sent = arrivals.length === 0 ? 0 : (arrivals.at(-1)?.sequence ?? first) - first + 1;
  let stall = 0n;
  let delay = 0n;
  let before: Arrival | undefined;
  for (const arrival of arrivals) {
    if (before !== undefined) {
      const beyond = arrival.at - before.at - (arrival.sent - before.sent);
      if (beyond > stall) stall = beyond;
    }
    if (arrival.at - arrival.sent > delay) delay = arrival.at - arrival.sent;
    before = arrival;
  }
  return {
    sent,
    lost: sent - arrivals.length,
    longestStallMs: milliseconds(stall),
    longestDelayMs: milliseconds(delay),
  };
}

function send(host: string, port: number): void {
  const socket = createSocket('udp4');
  const begin = performance.now();
  let sequence = 0;
  setInterval(() => {
    const due = ((performance.now() - begin) * perSecond) / 1000;
    for (; sequence < due; sequence++) {
      const message = Buffer.alloc(12);
      message.writeUInt32BE(sequence, 0);
      message.writeBigUInt64BE(process.hrtime.bigint(), 4);
      socket.send(message, port, host);
    }
  }, 1);
}

const [mode, ...rest] = process.argv.slice(2);
if (mode === 'receive') receive(Number(rest[0]));
else if (mode === 'send') send(rest[0] ?? '', Number(rest[1]));
