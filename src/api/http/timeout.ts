/** How long a request may wait for agents. */
import { maxWait, parseWait } from '../../base/waiting-time.ts';
import { isObject } from '../../model/checks.ts';
import { badRequest } from '../../model/faults.ts';

/** Seconds in the query, in milliseconds; `fallback` in seconds. */
export function timeoutOf(query: unknown, fallback: number): number {
  const text = isObject(query) ? query['timeout'] : undefined;
  if (text === undefined) return fallback * 1000;
  const seconds = typeof text === 'string' ? parseWait(text) : null;
  if (seconds === null) return badRequest(`timeout must be a number of seconds up to ${maxWait}`);
  return seconds * 1000;
}
