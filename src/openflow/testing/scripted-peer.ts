/** A scripted switch on a real socket, for answers that a real switch never gives. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeMessage, encodeMessage } from '../codec/messages.ts';
import { Framer } from '../framer.ts';
import type { Message } from '../message.ts';

export interface PeerExchange {
  readonly xid: number;
  readonly message: Message;
  readonly socket: Socket;
  readonly reply: (message: Message, xid?: number) => void;
}

/** Returns true when the default answer must not be given. */
export type Script = (exchange: PeerExchange) => boolean;

const features: Message = {
  type: 'features_reply',
  datapathId: 1n,
  buffers: 0,
  tables: 254,
  auxiliaryId: 0,
  capabilities: 0,
};

function usual({ message, reply }: PeerExchange): void {
  if (message.type === 'hello') reply({ type: 'hello', versions: [6] });
  else if (message.type === 'features_request') reply(features);
  else if (message.type === 'barrier_request') reply({ type: 'barrier_reply' });
  else if (message.type === 'echo_request') reply({ ...message, type: 'echo_reply' });
  else if (message.type === 'bundle_control') {
    const control = message.control.replace('_request', '_reply') as 'open_reply';
    reply({ ...message, control });
  }
}

export class ScriptedPeer {
  readonly dir = mkdtempSync(join(tmpdir(), 'portcullis-peer-'));
  readonly path = join(this.dir, 'peer.sock');
  readonly target = `unix:${this.path}`;
  readonly seen: Message[] = [];
  readonly sockets = new Set<Socket>();
  #server: Server | undefined;
  #tcp: Server | undefined;
  #script: Script;

  constructor(script: Script = () => false) {
    this.#script = script;
  }

  listen(): Promise<void> {
    this.#server = createServer((socket) => this.#serve(socket));
    return new Promise((resolve) => this.#server?.listen(this.path, resolve));
  }

  /** Also listens on a free TCP port of the loopback; returns the target. */
  async listenTcp(): Promise<string> {
    const server = createServer((socket) => this.#serve(socket));
    this.#tcp = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no TCP address');
    return `tcp:127.0.0.1:${address.port}`;
  }

  #serve(socket: Socket): void {
    const framer = new Framer();
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      framer.push(chunk, (frame) => {
        const { xid, message } = decodeMessage(frame);
        this.seen.push(message);
        const reply = (answer: Message, as = xid): void => void socket.write(encodeMessage(answer, as));
        const exchange = { xid, message, socket, reply };
        if (!this.#script(exchange)) usual(exchange);
        return true;
      });
    });
  }

  /** Stops listening and ends every connection; the path is then free again. */
  async hangUp(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) =>
      this.#server === undefined ? resolve(null) : this.#server.close(resolve),
    );
    this.#server = undefined;
  }

  async stop(): Promise<void> {
    this.#tcp?.close();
    await this.hangUp();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
