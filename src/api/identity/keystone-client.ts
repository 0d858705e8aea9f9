/**
 * The two calls of Keystone's API v3 that a service needs: getting its own token, and validating a caller's token. Speaks
 * HTTP and knows what answers mean; keeps only its own token.
 */
import { answerText } from '../../base/answer-text.ts';
import { Limiter } from '../../base/async.ts';
import { Fault, reasonOf } from '../../base/errors.ts';
import { isObject } from '../../model/checks.ts';

export interface KeystoneAccount {
  /** With or without `/v3`. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly project: string;
  readonly userDomain: string;
  readonly projectDomain: string;
}

export type KeystoneFault =
  /** No answer, a late one, or one that is none. */
  | { readonly code: 'KeystoneUnavailable' }
  /** Keystone does not know us, or does not let us ask. */
  | { readonly code: 'KeystoneRefusedUs'; readonly status: number };

/** Keystone's word on a token, as it came. */
export type TokenBody = Readonly<Record<string, unknown>>;

/**
 * Concurrent calls. Everybody can cause a call, with an invalid token. Without a limit, a slow Keystone would work on calls
 * that have timed out.
 */
const maxConcurrent = 32;

/** Bytes of an answer; without the catalogue some thousand are usual. */
const maxAnswerBytes = 1 << 20;

function fail(reason: string, cause?: unknown): never {
  throw new Fault<KeystoneFault>({ code: 'KeystoneUnavailable' }, `Keystone: ${reason}`, cause);
}

export class KeystoneClient {
  readonly #tokens: string;
  readonly #account: KeystoneAccount;
  readonly #timeout: number;
  #own: Promise<string> | null = null;
  readonly #calls = new Set<AbortController>();
  readonly #limiter = new Limiter(maxConcurrent);
  #closed = false;

  /** `timeout`: milliseconds for each call, the wait for its turn included. */
  constructor(account: KeystoneAccount, timeout: number) {
    const root = account.url.replace(/\/+$/, '');
    this.#tokens = `${root.endsWith('/v3') ? root : `${root}/v3`}/auth/tokens`;
    this.#account = account;
    this.#timeout = timeout;
  }

  /** Ends the calls under way. */
  close(): void {
    this.#closed = true;
    for (const call of this.#calls) call.abort();
  }

  /**
   * What the token is good for, or was, where it may have `expired`; null when it is good for nothing. Throws a
   * `KeystoneFault`.
   */
  async describe(token: string, expired: 'expired' | null = null): Promise<TokenBody | null> {
    const own = this.#ownToken();
    const first = await this.#ask(await own, token, expired);
    if (first.status !== 401) return this.#read(first);
    // Our own token has expired or was revoked. Of many that notice, one gets the next.
    if (this.#own === own) this.#own = null;
    return this.#read(await this.#ask(await this.#ownToken(), token, expired));
  }

  /** A token of the account itself, for other services; never again the one that they `refused`. Throws a `KeystoneFault`. */
  async token(refused: string | null = null): Promise<string> {
    const own = this.#ownToken();
    const token = await own;
    if (token !== refused) return token;
    if (this.#own === own) this.#own = null;
    return this.#ownToken();
  }

  async #read(answer: Answer): Promise<TokenBody | null> {
    // A proxy before Keystone answers 404 too when Keystone is away.
    if (answer.status === 404 && isObject(answer.body) && isObject(answer.body['error'])) return null;
    if (answer.status === 401 || answer.status === 403) {
      this.#own = null;
      throw new Fault<KeystoneFault>(
        { code: 'KeystoneRefusedUs', status: answer.status },
        `Keystone does not let this server ask about tokens (${answer.status}): check its account`,
      );
    }
    const token = isObject(answer.body) ? answer.body['token'] : null;
    return answer.status === 200 && isObject(token)
      ? token
      : fail(`an answer ${answer.status} about a token`);
  }

  #ask(own: string, subject: string, expired: 'expired' | null): Promise<Answer> {
    return this.#call(`${this.#tokens}?nocatalog=1${expired === null ? '' : '&allow_expired=1'}`, {
      headers: { 'x-auth-token': own, 'x-subject-token': subject, accept: 'application/json' },
    });
  }

  #ownToken(): Promise<string> {
    if (this.#own !== null) return this.#own;
    const own = this.#authenticate();
    this.#own = own;
    own.catch(() => {
      if (this.#own === own) this.#own = null;
    });
    return own;
  }

  async #authenticate(): Promise<string> {
    const { username, password, project, userDomain, projectDomain } = this.#account;
    const user = { name: username, password, domain: { name: userDomain } };
    const answer = await this.#call(`${this.#tokens}?nocatalog=1`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({
        auth: {
          identity: { methods: ['password'], password: { user } },
          scope: { project: { name: project, domain: { name: projectDomain } } },
        },
      }),
    });
    if (answer.status === 401 || answer.status === 403) {
      throw new Fault<KeystoneFault>(
        { code: 'KeystoneRefusedUs', status: answer.status },
        `Keystone refuses the account ${username} of project ${project} (${answer.status})`,
      );
    }
    return answer.status === 201 && answer.token !== null
      ? answer.token
      : fail(`an answer ${answer.status} to a login`);
  }

  async #call(url: string, request: RequestInit): Promise<Answer> {
    if (this.#closed) return fail('the server is closing');
    const call = new AbortController();
    this.#calls.add(call);
    const late = setTimeout(() => call.abort(new Error('no answer in time')), this.#timeout);
    try {
      const release = await this.#limiter.acquire(call.signal);
      return await this.#answer(url, { ...request, signal: call.signal, redirect: 'error' }).finally(release);
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      return fail(reasonOf(cause), error);
    } finally {
      clearTimeout(late);
      this.#calls.delete(call);
    }
  }

  async #answer(url: string, request: RequestInit): Promise<Answer> {
    const response = await fetch(url, request);
    const text = await answerText(response, maxAnswerBytes);
    return {
      status: response.status,
      token: response.headers.get('x-subject-token'),
      body: parsed(text),
    };
  }
}

interface Answer {
  readonly status: number;
  readonly token: string | null;
  /** Null where it was no JSON. */
  readonly body: unknown;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
