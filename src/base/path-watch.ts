/**
 * Waits until a file appears, or at most a given time. A client uses it to connect at once to a peer that
 * restarts behind a unix socket. It is only a hint: where watching fails, the time limit applies.
 */
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

export class PathWatch {
  readonly #watcher: FSWatcher | null;
  #stirred = false;
  #wake: () => void = () => undefined;

  /** Begins to watch the file; `null` watches nothing. */
  constructor(path: string | null) {
    this.#watcher = path === null ? null : this.#open(path);
  }

  #open(path: string): FSWatcher | null {
    try {
      const watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
        if (name !== null && name !== basename(path)) return;
        this.#stirred = true;
        this.#wake();
      });
      watcher.on('error', () => watcher.close());
      return watcher;
    } catch {
      return null;
    }
  }

  /**
   * Resolves when the file was touched since the last wait, when `delay` milliseconds have passed, or when
   * the signal aborts. The result is true in the first case.
   */
  wait(delay: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', finish);
        this.#wake = () => undefined;
        const stirred = this.#stirred;
        this.#stirred = false;
        resolve(stirred);
      };
      const timer = setTimeout(finish, delay);
      signal.addEventListener('abort', finish);
      this.#wake = finish;
      if (this.#stirred || signal.aborted) finish();
    });
  }

  close(): void {
    this.#watcher?.close();
  }
}
