/**
 * Cleans up after a test process whatever its end, kill -9 included: a shell of its own session that waits for
 * its standard input to close and then runs a script. Closing it on purpose is the ordinary clean-up, so there
 * is one road only.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export class Reaper {
  readonly #child: ChildProcess;
  #finished: Promise<void> | null = null;

  /** `script` is POSIX shell and sees `args` as $1, $2 … */
  constructor(script: string, args: readonly string[]) {
    this.#child = spawn('sh', ['-c', `trap '' INT TERM HUP; cat >/dev/null; ${script}`, 'reaper', ...args], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#child.unref();
  }

  /** Runs the script now, once; resolves when it has ended. */
  finish(): Promise<void> {
    this.#finished ??= this.#finish();
    return this.#finished;
  }

  async #finish(): Promise<void> {
    this.#child.ref();
    const exit = this.#child.exitCode === null ? once(this.#child, 'exit') : Promise.resolve();
    this.#child.stdin?.end();
    await exit;
  }
}
