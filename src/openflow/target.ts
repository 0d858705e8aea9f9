/**
 * Where a switch listens (`unix:PATH`, `tcp:HOST:PORT`), and notice of a unix socket that (re)appears, so a
 * restarted switch is met within milliseconds and not at the next try.
 */
import { type FSWatcher, watch } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { sessionFault } from './session-fault.ts';

export type Target =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Throws `BadTarget`. An IPv6 host stands in brackets. */
export function parseTarget(text: string): Target {
  if (text.startsWith('unix:') && text.length > 5) return { kind: 'unix', path: text.slice(5) };
  const found = /^tcp:(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = found?.[1] ?? found?.[2];
  const port = Number(found?.[3]);
  if (host !== undefined && port >= 1 && port <= 0xffff) return { kind: 'tcp', host, port };
  throw sessionFault(
    { code: 'BadTarget', target: text },
    `${JSON.stringify(text)} is not unix:PATH or tcp:HOST:PORT`,
  );
}

export function open(target: Target): Socket {
  if (target.kind === 'unix') return connect(target.path);
  const socket = connect(target.port, target.host);
  socket.setNoDelay(true);
  return socket;
}

/** Tells of every change of one name in its directory until closed; silent where that cannot be watched. */
export class Appearance {
  #watcher: FSWatcher | undefined;
  #seen = false;
  #wake: (() => void) | undefined;

  constructor(target: Target) {
    if (target.kind !== 'unix') return;
    const name = basename(target.path);
    try {
      this.#watcher = watch(dirname(target.path), { persistent: false }, (_, changed) => {
        if (changed === name || changed === null) this.#notice();
      });
      // A directory that goes away ends the watch; retries go on by the clock.
      this.#watcher.on('error', () => this.close());
    } catch {
      this.#watcher = undefined;
    }
  }

  #notice(): void {
    this.#seen = true;
    this.#wake?.();
  }

  /** Resolves at the delay's end (false), or at once when the name changed since the last call (true). */
  async wait(delay: number, signal: AbortSignal): Promise<boolean> {
    if (!this.#seen && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        const timer = setTimeout(wake, delay);
        this.#wake = wake;
        signal.addEventListener('abort', wake);
      });
    }
    const seen = this.#seen;
    this.#seen = false;
    this.#wake = undefined;
    return seen;
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
