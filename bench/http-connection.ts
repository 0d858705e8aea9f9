/**
 * One keep-alive HTTP/1.1 connection with one request at a time, on a bare socket. On a machine of few cores
 * a full client would take CPU from the measured server. Parses what this API sends, not all of HTTP.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

const headEnd = '\r\n\r\n';

export class HttpConnection {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #size = 0;
  /** Length of the current answer, head included; null until its head has come. */
  #expected: number | null = null;
  #bodyAt = 0;
  #status = 0;
  #waiting: Waiting | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  static async open(endpoint: string): Promise<HttpConnection> {
    const { hostname, port } = new URL(endpoint);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    return new HttpConnection(socket);
  }

  /** Rejects when the connection breaks; any status is an answer. */
  request(method: string, path: string, body?: unknown): Promise<Answer> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const content =
      body === undefined
        ? ''
        : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n`;
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(`${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${content}\r\n${text}`);
    });
  }

  /** The same for a JSON answer with a status 2xx; rejects with the answer otherwise. */
  async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.request(method, path, body);
    const text = answer.body.toString();
    if (answer.status < 200 || answer.status > 299)
      throw new Error(`${method} ${path}: ${answer.status}: ${text}`);
    return (text === '' ? null : JSON.parse(text)) as T;
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#expected === null) this.#readHead();
    if (this.#expected === null || this.#size < this.#expected) return;
    const all = this.#joined();
    const answer = { status: this.#status, body: all.subarray(this.#bodyAt, this.#expected) };
    this.#chunks = [];
    this.#size = 0;
    this.#expected = null;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve(answer);
  }

  #readHead(): void {
    const all = this.#joined();
    const end = all.indexOf(headEnd);
    if (end < 0) return;
    const head = all.toString('latin1', 0, end);
    this.#status = Number(head.slice(9, 12));
    this.#bodyAt = end + headEnd.length;
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined && this.#status !== 204)
      this.#fail(new Error('an answer without content-length'));
    this.#expected = this.#bodyAt + Number(length ?? 0);
  }

  #joined(): Buffer {
    const [first] = this.#chunks;
    const all = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  #fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(error);
  }

  close(): void {
    this.#socket.destroy();
  }
}
