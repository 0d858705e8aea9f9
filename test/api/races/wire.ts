/** A client with its own connection to a server, so that two clients meet only over the network. */
import { Agent, type IncomingMessage, request } from 'node:http';

export type Json = Readonly<Record<string, unknown>>;

export interface Reply {
  readonly status: number;
  /** Empty when the answer has no body. */
  readonly body: Json;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export class Wire {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #endpoint: string;

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  /** Rejects when the connection breaks; any status is an answer. */
  call(method: Method, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const sent = request(
        `${this.#endpoint}/v2.0/${path}`,
        {
          method,
          agent: this.#agent,
          headers: {
            ...(text === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
            ...headers,
          },
        },
        (message) => {
          bodyOf(message).then(
            (received) => resolve({ status: message.statusCode ?? 0, body: received }),
            reject,
          );
        },
      );
      sent.on('error', reject);
      sent.end(text);
    });
  }

  /** The resource of an answer of the status 2xx; rejects with the answer otherwise. */
  async made(path: string, name: string, attributes: Json): Promise<Json> {
    const { status, body } = await this.call('POST', path, { [name]: attributes });
    if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
    return body[name] as Json;
  }

  close(): void {
    this.#agent.destroy();
  }
}

async function bodyOf(message: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? {} : (JSON.parse(text) as Json);
}

export const errorOf = ({ body }: Reply): string | undefined =>
  (body['NeutronError'] as { readonly type: string } | undefined)?.type;
