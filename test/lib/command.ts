/** Runs a program to its end and collects its output. */
import { execFile } from 'node:child_process';
import { slowness } from './wait.ts';

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds on an ordinary machine; 60000. */
  readonly timeout?: number;
  readonly input?: string;
}

export interface CommandResult {
  /** Exit code; null when a signal ended the program. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Resolves whatever the exit code; rejects when the program could not be started. */
export function runAnyway(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const { env = process.env, input } = options;
    const timeout = (options.timeout ?? 60_000) * slowness;
    const limits = { env, timeout, killSignal: 'SIGKILL', maxBuffer: 256 * 1024 * 1024 } as const;
    const child = execFile(program, args, limits, (error, stdout, stderr) => {
      const code = error ? error.code : 0;
      if (typeof code === 'string') reject(error);
      else resolve({ code: code ?? null, stdout, stderr });
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

/** Resolves with standard output; rejects with the program's output when it failed. */
export async function run(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await runAnyway(program, args, options);
  if (code !== 0)
    throw new Error(`${program} ${args.join(' ')}: exit ${code}: ${stderr.trim() || stdout.trim()}`);
  return stdout;
}
