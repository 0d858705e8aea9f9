/**
 * Exclusive ownership of a directory. It ends with its process, however the process dies.
 *
 * Idea: an flock(2) on a file in the directory. Node cannot take one, so flock(1) of util-linux takes it on a
 * descriptor that it shares with this process. The lock belongs to the open file and stays after that helper
 * has exited.
 *
 * Rejected: a pid file or a socket. They need clean-up after kill -9, do not hold across network and pid
 * namespaces, and two processes can win them.
 */
import { spawn } from 'node:child_process';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { Fault } from '../base/errors.ts';
import type { StoreFault } from './contract.ts';

export class DirectoryLock {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Throws `StoreLocked` at once when another process, or another holder in this one, has the lock. */
  static async take(path: string): Promise<DirectoryLock> {
    const file = await open(path, 'a+', 0o600);
    try {
      if (!(await flock(file.fd))) {
        const holder = await holderOf(path);
        throw new Fault<StoreFault>(
          { code: 'StoreLocked', path, holder },
          `the data directory is in use by ${holder} (${path}); stop that process first`,
        );
      }
      await file.truncate(0);
      await file.write(`${process.pid}\n`);
      return new DirectoryLock(file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async release(): Promise<void> {
    // The name is removed first: the next holder may write its own as soon as the descriptor is closed.
    await this.#file.truncate(0);
    await this.#file.close();
  }
}

/** Whether the lock was free. The exit codes are those of flock(1): 0 is taken, 1 is held by another. */
async function flock(fd: number): Promise<boolean> {
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn('flock', ['-x', '-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    child.once('error', reject);
    child.once('exit', resolve);
  }).catch((error: unknown) => {
    throw unusable('flock(1), of the package util-linux, cannot be run', error);
  });
  if (code !== 0 && code !== 1) throw unusable(`flock(1) failed with exit code ${code}`);
  return code === 0;
}

function unusable(message: string, cause?: unknown): Fault<StoreFault> {
  return new Fault<StoreFault>({ code: 'StoreUnavailable' }, message, cause);
}

/**
 * The holder writes its pid just after it took the lock. An empty or dead pid is therefore read again for a
 * moment.
 */
async function holderOf(path: string): Promise<string> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const pid = Number.parseInt(await readFile(path, 'utf8'), 10);
    if (pid > 0 && isRunning(pid)) return `pid ${pid}`;
    await delay(10);
  }
  return 'another process';
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
