/**
 * Where a peer listens, in Open vSwitch's notation: `unix:PATH`, `tcp:HOST:PORT`, `tcp:[IPv6]:PORT`. The
 * passive forms (`punix:`, `ptcp:`) are not for a client. Knows no protocol.
 */
import { connect, type Socket } from 'node:net';
import { Fault } from './errors.ts';

export type TargetFault = { readonly code: 'BadTarget'; readonly target: string };

export type Target =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** `defaultPort` is the protocol's own. Throws `BadTarget` for anything but the two active forms. */
export function parseTarget(text: string, defaultPort: number): Target {
  if (text.startsWith('unix:') && text.length > 5) return { kind: 'unix', path: text.slice(5) };
  const tcp = /^tcp:(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const host = tcp?.[1] ?? tcp?.[2];
  const port = tcp?.[3] === undefined ? defaultPort : Number(tcp[3]);
  if (host !== undefined && port > 0 && port < 65536) return { kind: 'tcp', host, port };
  throw new Fault<TargetFault>(
    { code: 'BadTarget', target: text },
    `"${text}" is neither unix:PATH nor tcp:HOST:PORT`,
  );
}

export function openSocket(target: Target): Socket {
  if (target.kind === 'unix') return connect(target.path);
  const socket = connect(target.port, target.host);
  socket.setNoDelay(true);
  return socket;
}
