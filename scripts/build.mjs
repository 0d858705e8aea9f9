/**
 * `npm run build`: bundles the program into a few files, which Node loads in half the time of the hundreds of sources.
 *
 * Result: bin/portcullis.js has the commands. server/server.cjs has API, store and agent, with V8's compilation of it
 * beside it. `npm run typecheck`, which `npm test` runs, checks the types.
 *
 * Invariants: lmdb stays outside, because it finds its native part beside its own files. Names and lines are kept, so
 * that stack traces are readable. `node --enable-source-maps` shows the original places.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { build } from 'esbuild';

mkdirSync('dist', { recursive: true });
// The stamps belong to `need_build`.
for (const name of readdirSync('dist'))
  if (!name.startsWith('.built')) rmSync(`dist/${name}`, { recursive: true });

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  external: ['lmdb'],
  sourcemap: 'linked',
  legalComments: 'none',
  logLevel: 'warning',
};

/** Makes `importer` load a module from a file of its own. */
const apart = (importer, module) => ({
  name: `${module}-apart`,
  setup({ onResolve }) {
    onResolve({ filter: new RegExp(`/${module.split('/').at(-1)}\\.ts$`) }, (found) =>
      found.importer.endsWith(`/src/${importer}.ts`)
        ? { path: `../${module}.js`, external: true }
        : undefined,
    );
  },
});

await build({
  ...common,
  entryPoints: { 'bin/portcullis': 'src/bin/portcullis.ts', 'server/load': 'src/bin/load-server.ts' },
  outdir: 'dist',
  plugins: [apart('cli/program', 'cli/up')],
  format: 'esm',
  // What few commands need is loaded by them alone.
  splitting: true,
  chunkNames: 'bin/[name]-[hash]',
  // CommonJS packages load Node's own modules with `require`.
  banner: {
    js: "import { createRequire as requireOf } from 'node:module';\nconst require = requireOf(import.meta.url);",
  },
});

await build({
  ...common,
  stdin: {
    contents: "export { Agent } from './agent/agent.ts';\nexport { up } from './cli/up.ts';",
    resolveDir: 'src',
    sourcefile: 'server.ts',
  },
  outfile: 'dist/server/server.cjs',
  plugins: [apart('cli/up', 'agent/agent')],
  format: 'cjs',
  define: { 'import.meta.url': 'moduleUrl' },
  // load-server.ts calls this function.
  banner: { js: '(function (exports, require, module, moduleUrl) {' },
  footer: { js: '})' },
});

// The agent and `up` are modules, so that a module hook can run several hosts in one process.
const modules = {
  'agent/agent.js': ['import { server } from "../server/load.js";', 'export const { Agent } = server();'],
  'cli/up.js': [
    'import { Agent } from "../agent/agent.js";',
    'import { server, useAgent } from "../server/load.js";',
    'useAgent(Agent);',
    'export const { up } = server();',
  ],
};
for (const [path, lines] of Object.entries(modules)) {
  mkdirSync(dirname(`dist/${path}`), { recursive: true });
  writeFileSync(`dist/${path}`, `${lines.join('\n')}\n`);
}

const environment = Object.entries(process.env).filter(
  ([name]) => !/^(PORTCULLIS_|NODE_OPTIONS$)/.test(name),
);
try {
  execFileSync(process.execPath, ['scripts/code-cache.mjs'], {
    env: Object.fromEntries(environment),
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 60_000,
  });
} catch (error) {
  process.stderr.write(
    `build: the code cache failed, so each start will compile all code: ${String(error)}\n`,
  );
}
