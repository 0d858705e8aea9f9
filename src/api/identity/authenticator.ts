/**
 * What every way of knowing callers offers: a caller for a request, or a refusal. Whoever cannot be asked at the moment
 * is a refusal too: no doubt ever lets somebody in.
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
  /** Whether everybody who reaches the address is let in, so that the address must be safe. */
  readonly open: boolean;
  /** Throws an `IdentityFault`. A promise only where somebody must be asked. */
  callerOf(headers: IncomingHttpHeaders): Caller | Promise<Caller>;
  close(): void;
}

export function refuseIdentity(data: IdentityFault, reason: string, cause?: unknown): never {
  throw new Fault<IdentityFault>(data, reason, cause);
}

/** What the refusal of a stranger asks for; null for anything else that was thrown. */
export function challengeOf(error: unknown): string | null {
  if (!(error instanceof Fault)) return null;
  const data = error.data as IdentityFault;
  return data.code === 'Unauthorized' ? data.challenge : null;
}

/** Tokens longer than this are nobody's; Keystone's stay well below. */
const longestToken = 8192;

const couldBeToken = (value: unknown): value is string =>
  typeof value === 'string' && /^[!-~]+$/.test(value) && value.length <= longestToken;

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
