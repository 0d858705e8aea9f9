/**
 * `npm run build`: the program as a few files, which Node reads and compiles in half the time of the hundreds that it
 * is written in. Types are checked apart (`npm run typecheck`, which `npm test` runs).
 *
 * bin/portcullis.js has the commands, server/server.cjs API, store and agent, with V8's compilation of them beside it.
 * lmdb stays outside, for it finds its native part beside its own files. Names and lines are kept, so that a stack
 * trace can be read; the source maps tell the rest to `node --enable-source-maps`.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { build } from 'esbuild';

mkdirSync('dist', { recursive: true });
// The stamps are `need_build`'s.
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
  // Packages in CommonJS ask for Node's own modules by `require`.
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
  // What load-server.ts calls.
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
  process.stderr.write(`build: starts will compile all code, because its cache failed: ${String(error)}\n`);
}
