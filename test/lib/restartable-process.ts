/** Processes of the built program that a test may kill, stop and start again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { cleanEnvironment, program } from './up-process.ts';
import { until } from './wait.ts';

export class RestartableProcess {
  readonly name: string;
  readonly words: readonly string[];
  readonly #logFile: string;
  #child: ChildProcess | null = null;
  #isEnding = false;
  #isReady = false;
  /** Lines of its log at the level of errors, and exits that nobody asked for. */
  readonly complaints: string[] = [];

  constructor(name: string, words: readonly string[], logFile: string) {
    this.name = name;
    this.words = words;
    this.#logFile = logFile;
  }

  start(): void {
    const [interpreter, ...words] = program;
    this.#isEnding = false;
    this.#isReady = false;
    const child = spawn(interpreter, [...words, ...this.words], {
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stdout?.on('data', () => (this.#isReady = true));
    const log = createWriteStream(this.#logFile, { flags: 'a' });
    let rest = '';
    let last = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log.write(text);
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      last = lines.at(-1) ?? last;
      for (const line of lines) if (/"level":"?(error|fatal|50|60)/.test(line)) this.#complain(line);
    });
    child.once('exit', (code, signal) => {
      log.end();
      if (!this.#isEnding) this.#complain(`ended with ${code ?? signal}: ${last}`);
    });
  }

  #complain(text: string): void {
    this.complaints.push(`${this.name}: ${text}`);
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Its ready line has come. */
  async ready(): Promise<void> {
    await until(() => this.#isReady || !this.isRunning, {
      timeout: 60_000,
      what: `${this.name} is ready`,
    });
    if (!this.isRunning) throw new Error(`${this.name} ended: ${this.complaints.join('\n')}`);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.#isEnding = true;
    const child = this.#child;
    if (child === null || !this.isRunning) return;
    const exit = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    await exit;
  }
}
