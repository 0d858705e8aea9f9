/**
 * What every kind of authentication offers: a caller for a request, or a refusal. An identity service that does not answer
 * is a refusal too.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { Fault } from '../../base/errors.ts';
import type { Caller } from './caller.ts';

export type IdentityFault =
  /** `challenge` is the WWW-Authenticate header's value. */
  | { readonly code: 'Unauthorized'; readonly challenge: string }
  /** A token that is good but not for a project. */
  | { readonly code: 'InvalidScope'; readonly scope: 'domain' | 'system' | 'none' }
  | { readonly code: 'IdentityUnavailable' };

export interface Authenticator {
  /** No authentication: everybody who reaches the address may do everything. */
  readonly open: boolean;
  /** Throws an `IdentityFault`. A promise only where an identity service is asked. */
  callerOf(headers: IncomingHttpHeaders): Caller | Promise<Caller>;
  close(): void;
}

export function refuseIdentity(data: IdentityFault, reason: string, cause?: unknown): never {
  throw new Fault<IdentityFault>(data, reason, cause);
}

/** The WWW-Authenticate challenge of an `Unauthorized`; null for anything else that was thrown. */
export function challengeOf(error: unknown): string | null {
  if (!(error instanceof Fault)) return null;
  const data = error.data as IdentityFault;
  return data.code === 'Unauthorized' ? data.challenge : null;
}

/** Characters. Keystone's tokens are much shorter. */
const maxTokenLength = 8192;

const couldBeToken = (value: unknown): value is string =>
  typeof value === 'string' && /^[!-~]+$/.test(value) && value.length <= maxTokenLength;

/** The token of a service that stands in for the caller's, which may have expired meanwhile; null when there is none. */
export function serviceTokenOf(headers: IncomingHttpHeaders): string | null {
  const token = headers['x-service-token'];
  return couldBeToken(token) ? token : null;
}

/** The token of X-Auth-Token. Throws `Unauthorized` with the challenge when there is none that could be one. */
export function tokenOf(headers: IncomingHttpHeaders, challenge: string): string {
  const token = headers['x-auth-token'];
  if (couldBeToken(token)) return token;
  return refuseIdentity({ code: 'Unauthorized', challenge }, 'no token');
}
