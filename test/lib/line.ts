/** A TCP line to a server that a test can cut or delay, or on which it can lose the server's answers. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpLine {
  /** `HOST:PORT` of this end. */
  readonly address: string;
  /** Bytes from the server so far. */
  readonly received: number;
  /** Ends the connections and refuses new ones until `mend`. */
  cut(): void;
  mend(): void;
  /** From now on requests arrive and answers do not, until `cut`. */
  loseAnswers(): void;
  /** Holds the server's answers back until `resume`, as a reader does that is too slow. */
  pause(): void;
  resume(): void;
  /** From now on bytes of both directions take so many milliseconds. They stay in order. */
  delay(milliseconds: number): void;
  /** New connections go to another server. */
  moveTo(target: string): void;
  close(): void;
}

export async function lineTo(target: string): Promise<TcpLine> {
  let [host, port] = target.split(':');
  const sockets = new Set<Socket>();
  const farEnds = new Set<Socket>();
  let isCut = false;
  let losesAnswers = false;
  let isPaused = false;
  let delay = 0;
  let received = 0;
  const server = createServer((near) => {
    if (isCut) {
      near.destroy();
      return;
    }
    const far = connect(Number(port), host);
    farEnds.add(far);
    if (isPaused) far.pause();
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      // One timer for the first that waits: timers of their own would round differently, and bytes overtake each other.
      const waiting: { readonly at: number; readonly bytes: Buffer }[] = [];
      const flush = (): void => {
        for (let [next] = waiting; next !== undefined; [next] = waiting) {
          const left = next.at - performance.now();
          if (left > 0) {
            setTimeout(flush, Math.ceil(left));
            return;
          }
          other.write(next.bytes);
          waiting.shift();
        }
      };
      socket.on('data', (bytes) => {
        if (socket === far) received += bytes.length;
        if (socket !== near && losesAnswers) return;
        waiting.push({ at: performance.now() + delay, bytes });
        if (waiting.length === 1) flush();
      });
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        farEnds.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get received() {
      return received;
    },
    cut: () => {
      isCut = true;
      losesAnswers = false;
      for (const socket of sockets) socket.destroy();
    },
    mend: () => {
      isCut = false;
    },
    loseAnswers: () => {
      losesAnswers = true;
    },
    pause: () => {
      isPaused = true;
      for (const far of farEnds) far.pause();
    },
    resume: () => {
      isPaused = false;
      for (const far of farEnds) far.resume();
    },
    delay: (milliseconds) => {
      delay = milliseconds;
    },
    moveTo: (next) => {
      [host, port] = next.split(':');
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
