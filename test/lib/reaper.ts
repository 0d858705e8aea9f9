/**
 * Cleans up after a test process however it ends, also after kill -9. A shell in a session of its own waits
 * until its standard input closes, and then runs a script. The ordinary clean-up closes that input too, so
 * both ways are one.
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
