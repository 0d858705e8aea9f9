/** A request: what, how, and by whom. */
import type { Person } from './people.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH' | 'HEAD' | 'OPTIONS';

export interface Request {
  /** Null: without a token. */
  readonly who: Person | null;
  readonly method: Method;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** By nobody yet. */
export type Asked = Omit<Request, 'who'>;

export const json = (method: Method, url: string, body: unknown): Asked => ({
  method,
  url,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

export const bare = (method: Method, url: string): Asked => ({ method, url, headers: {}, body: undefined });

/** Values as a URL spells them; an object may have a `toString` of its own. */
export const plain = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
