/**
 * The one call of the compute service's API that a network service makes: `os-server-external-events`. Speaks HTTP and
 * knows what answers mean. Its caller decides when to send, and whether to send again.
 */
import { answerText } from '../../base/answer-text.ts';
import { Fault, reasonOf } from '../../base/errors.ts';
import { isObject } from '../../model/checks.ts';
import type { NovaEvent } from './events.ts';

/** The events were not accepted; a later call may succeed. */
export type NovaFault = { readonly code: 'NovaUnavailable' };

/** Gives tokens; never again the one that was `refused`. */
export interface TokenSource {
  token(refused: string | null): Promise<string>;
  close(): void;
}

export interface NovaClientOptions {
  /** With the version, such as `http://nova.example:8774/v2.1`, which is what is meant without. */
  readonly url: string;
  /** Null: it asks for none. */
  readonly tokens: TokenSource | null;
  /** Milliseconds for a call. */
  readonly timeout: number;
}

/** What became of each event that was sent. */
export interface Delivery {
  readonly taken: number;
  /** Such as those for servers that are not there, or not there any more. */
  readonly refused: readonly string[];
}

function unavailable(reason: string, cause?: unknown): never {
  throw new Fault<NovaFault>({ code: 'NovaUnavailable' }, reason, cause);
}

export class NovaClient {
  readonly #options: NovaClientOptions;
  readonly #url: string;
  readonly #stop = new AbortController();

  constructor(options: NovaClientOptions) {
    this.#options = options;
    const root = options.url.replace(/\/+$/, '');
    const versioned = /\/v2(\.\d+)?(\/|$)/.test(new URL(root).pathname);
    this.#url = `${root}${versioned ? '' : '/v2.1'}/os-server-external-events`;
  }

  /** Ends the call under way. */
  close(): void {
    this.#stop.abort(new Error('the server is closing'));
    this.#options.tokens?.close();
  }

  /** Throws `NovaUnavailable` when they should be sent again. */
  async send(events: readonly NovaEvent[]): Promise<Delivery> {
    let token = await this.#token(null);
    let answer = await this.#post(events, token);
    if (answer.status === 401 && token !== null) {
      token = await this.#token(token);
      answer = await this.#post(events, token);
    }
    return deliveryOf(answer, events);
  }

  async #token(refused: string | null): Promise<string | null> {
    try {
      return (await this.#options.tokens?.token(refused)) ?? null;
    } catch (error) {
      return unavailable(reasonOf(error), error);
    }
  }

  async #post(events: readonly NovaEvent[], token: string | null): Promise<Answer> {
    const late = AbortSignal.timeout(this.#options.timeout);
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          ...(token === null ? {} : { 'x-auth-token': token }),
        },
        body: JSON.stringify({ events }),
        signal: AbortSignal.any([this.#stop.signal, late]),
        redirect: 'error',
      });
      return { status: response.status, text: await answerText(response, maxAnswerBytes) };
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      return unavailable(`no answer: ${reasonOf(cause)}`, error);
    }
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Bytes: what is said of the most events that are sent at once is well below. */
const maxAnswerBytes = 4 << 20;

/** Of anything longer the end is not worth a line of the log. */
const shortOf = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text);

function deliveryOf({ status, text }: Answer, events: readonly NovaEvent[]): Delivery {
  if (status === 200 || status === 207) {
    const refused = answersIn(text).flatMap(({ code, ...about }) =>
      code === 200 ? [] : [`${String(code)} ${JSON.stringify(about)}`],
    );
    return { taken: events.length - refused.length, refused };
  }
  // It knows none of the servers, or will never accept this: no retry.
  if (status === 404 || status === 400 || status === 413 || status === 422)
    return { taken: 0, refused: events.map(() => `${status} ${shortOf(text)}`) };
  return unavailable(`it answers ${status}: ${shortOf(text)}`);
}

function answersIn(text: string): readonly Record<string, unknown>[] {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return unavailable(`an answer that is none: ${shortOf(text)}`);
  }
  const events = isObject(body) ? body['events'] : null;
  return Array.isArray(events) ? events.filter(isObject) : [];
}
