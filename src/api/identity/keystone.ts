/**
 * Callers by Keystone. A valid answer about a token is cached for some seconds, never longer than the token; a refusal or a
 * failure is not cached. While Keystone is away, only cached tokens are accepted. An expired token is accepted together
 * with a service's own token, so that long operations can end.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Logger } from 'pino';
import { Fault, reasonOf } from '../../base/errors.ts';
import { isObject, projectId } from '../../model/checks.ts';
import {
  type Authenticator,
  challengeOf,
  type IdentityFault,
  refuseIdentity,
  serviceTokenOf,
  tokenOf,
} from './authenticator.ts';
import { type Caller, newCaller } from './caller.ts';
import { type KeystoneAccount, KeystoneClient, type TokenBody } from './keystone-client.ts';
import { digestOf } from './token-digest.ts';

/** Milliseconds for each call to Keystone. A request may need three calls. */
const usualTimeout = 5000;
/** Tokens that are remembered at once; the one longest there goes first. */
const maxKnownTokens = 10_000;
/** Milliseconds between log lines about the same failure. */
const complaintInterval = 10_000;

export interface KeystoneOptions extends KeystoneAccount {
  /** Seconds that Keystone's word on a token holds, and so that a revoked token may still work. */
  readonly trust: number;
  readonly timeout?: number;
}

interface Known {
  /** A token that is good, but for no project, has no caller. */
  readonly caller: Caller | IdentityFault;
  /** When the token ends, in milliseconds since 1970. */
  readonly expires: number;
  /** From when to when Keystone's word on it holds, likewise: a clock that was put back tells nothing. */
  readonly since: number;
  readonly until: number;
}

export class Keystone implements Authenticator {
  readonly open = false;
  readonly #client: KeystoneClient;
  readonly #trust: number;
  readonly #challenge: string;
  readonly #log: Logger;
  readonly #known = new Map<string, Known>();
  /** Questions under way: requests that come with the same token wait for the same answer. */
  readonly #asked = new Map<string, Promise<Known>>();
  #complained = 0;

  constructor(options: KeystoneOptions, log: Logger) {
    this.#client = new KeystoneClient(options, options.timeout ?? usualTimeout);
    this.#trust = options.trust * 1000;
    this.#challenge = `Keystone uri="${options.url.replaceAll('"', '')}"`;
    this.#log = log;
  }

  callerOf(headers: IncomingHttpHeaders): Caller | Promise<Caller> {
    const token = tokenOf(headers, this.#challenge);
    const digest = digestOf(token);
    const service = serviceTokenOf(headers);
    // No token has a space.
    const both = service === null ? null : digestOf(`${token} ${service}`);
    const known = this.#remembered(digest) ?? (both === null ? null : this.#remembered(both));
    if (known !== null) return callerIn(known);
    const asked = this.#ask(digest, () => this.#learn(token, null));
    if (service === null || both === null) return asked.then(callerIn);
    return asked.catch((refusal: unknown) => this.#vouched(refusal, token, service, both)).then(callerIn);
  }

  close(): void {
    this.#client.close();
  }

  /** What a token that was refused by itself is good for in the hands of a service. */
  async #vouched(refusal: unknown, token: string, service: string, both: string): Promise<Known> {
    if (challengeOf(refusal) === null) throw refusal;
    const digest = digestOf(service);
    const voucher = this.#remembered(digest) ?? (await this.#ask(digest, () => this.#learn(service, null)));
    if (!('roles' in voucher.caller && voucher.caller.service)) throw refusal;
    return this.#ask(both, () => this.#learn(token, voucher));
  }

  #remembered(digest: string): Known | null {
    const known = this.#known.get(digest);
    if (known === undefined) return null;
    const now = Date.now();
    if (known.since <= now && now < known.until) return known;
    this.#known.delete(digest);
    return null;
  }

  #ask(digest: string, learn: () => Promise<Known>): Promise<Known> {
    const asked = this.#asked.get(digest);
    if (asked !== undefined) return asked;
    const answer = learn()
      .then((known) => {
        if (this.#trust > 0) this.#remember(digest, known);
        return known;
      })
      .finally(() => this.#asked.delete(digest));
    this.#asked.set(digest, answer);
    return answer;
  }

  /** With a voucher a token may have expired, and is good no longer than the voucher. */
  async #learn(token: string, voucher: Known | null): Promise<Known> {
    const asked = Date.now();
    let body: TokenBody | null;
    try {
      body = await this.#client.describe(token, voucher === null ? null : 'expired');
    } catch (error) {
      this.#complain(error);
      return refuseIdentity({ code: 'IdentityUnavailable' }, reasonOf(error), error);
    }
    const expires = voucher?.expires ?? Date.parse(String(body?.['expires_at']));
    // Also what a clock that is ahead of Keystone's calls expired, and what has no end at all.
    if (body === null || !(expires > Date.now()))
      return refuseIdentity(
        { code: 'Unauthorized', challenge: this.#challenge },
        'Keystone does not know the token',
      );
    // From when it was asked: it may have been revoked while the answer was under way.
    return { caller: readCaller(body), expires, since: asked, until: Math.min(expires, asked + this.#trust) };
  }

  #remember(digest: string, known: Known): void {
    for (const oldest of this.#known.keys()) {
      if (this.#known.size < maxKnownTokens) break;
      this.#known.delete(oldest);
    }
    this.#known.set(digest, known);
  }

  #complain(error: unknown): void {
    if (Date.now() < this.#complained + complaintInterval) return;
    this.#complained = Date.now();
    this.#log.error({ reason: reasonOf(error) }, 'callers cannot be checked; their requests are put off');
  }
}

function callerIn({ caller }: Known): Caller {
  if ('roles' in caller) return caller;
  throw new Fault<IdentityFault>(caller, 'a token without a project');
}

const idOf = (value: unknown): string | null =>
  isObject(value) && typeof value['id'] === 'string' ? value['id'] : null;

/** Roles in a domain or in the whole system are none in a project, so such tokens are nobody's here. */
function readCaller(token: TokenBody): Known['caller'] {
  const { project, user, roles } = token;
  const id = idOf(project);
  if (id === null || projectId(id) !== null || !isObject(project)) {
    const scope = isObject(token['domain']) ? 'domain' : isObject(token['system']) ? 'system' : 'none';
    return { code: 'InvalidScope', scope };
  }
  const names = Array.isArray(roles)
    ? roles.flatMap((role: unknown) =>
        isObject(role) && typeof role['name'] === 'string' ? [role['name']] : [],
      )
    : [];
  return newCaller({
    project: id,
    user: idOf(user) ?? '',
    domain: idOf(project['domain']) ?? '',
    roles: names,
  });
}
