/** How long a request may wait for agents. */
import { isObject } from '../../model/checks.ts';
import { badRequest } from '../../model/faults.ts';

const maxTimeout = 3600;

/** Seconds in the query, in milliseconds; `fallback` in seconds. */
export function timeoutOf(query: unknown, fallback: number): number {
  const text = isObject(query) ? query['timeout'] : undefined;
  if (text === undefined) return fallback * 1000;
  const seconds = typeof text === 'string' && /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds > 0 && seconds <= maxTimeout))
    badRequest(`timeout must be a number of seconds up to ${maxTimeout}`);
  return seconds * 1000;
}
