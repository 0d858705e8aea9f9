/**
 * Evaluates the server's code: the one file that the build makes of it. V8 takes what the build has compiled of that
 * file, because compiling took 80 ms of CPU at each start. It takes that only from its own version with its own flags,
 * and otherwise compiles the file. Knows nothing of what the code does.
 *
 * Rejected: Node's own cache of compilations, which Node 20 does not have, and which is written when the program runs.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import type { Agent } from '../agent/agent.ts';
import type { up } from '../cli/up.ts';

/** What the file exports. */
interface Server {
  readonly Agent: typeof Agent;
  readonly up: typeof up;
}

/** The file is a function, as Node makes of each CommonJS module. */
type Evaluate = (
  exports: object,
  require: (name: string) => unknown,
  module: { readonly exports: Server },
  url: string,
) => void;

const url = new URL('./server.cjs', import.meta.url);
export const codeCacheFile = fileURLToPath(new URL('./server.cache', import.meta.url));

const agentModule: { Agent: typeof Agent | null } = { Agent: null };
let loaded: { readonly script: Script; readonly server: Server } | null = null;

function load(): { readonly script: Script; readonly server: Server } {
  const filename = fileURLToPath(url);
  // The build writes ASCII alone, which is read faster as Latin-1.
  const script = new Script(readFileSync(filename, 'latin1'), {
    filename,
    ...(existsSync(codeCacheFile) ? { cachedData: readFileSync(codeCacheFile) } : {}),
  });
  const outer = createRequire(url);
  const require = (name: string): unknown => (name === '../agent/agent.js' ? agentModule : outer(name));
  const module = { exports: {} as Server };
  (script.runInThisContext() as Evaluate)(module.exports, require, module, url.href);
  return { script, server: module.exports };
}

export function server(): Server {
  loaded ??= load();
  return loaded.server;
}

/** The agent that `up` runs. */
export function useAgent(agent: typeof Agent): void {
  agentModule.Agent = agent;
}

/** What V8 has compiled of the server's code by now. */
export function codeCache(): Buffer {
  loaded ??= load();
  return loaded.script.createCachedData();
}
