/** The API's address as operators write it: `127.0.0.1:9696`, `[::1]:9696`, `localhost:0`. */
import { isIPv6 } from 'node:net';

export interface Listen {
  /** Without brackets. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

export function parseListen(text: string): Listen | null {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  if (parts === null) return null;
  const [, bracketed, plain, digits] = parts;
  const port = Number(digits);
  if (port > 65535) return null;
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port } : null;
  return plain === undefined ? null : { host: plain, port };
}
