/**
 * `npm run build`: the program as a few files, which Node reads and compiles in half the time of the hundreds that it
 * is written in. Types are checked apart (`npm run typecheck`, which `npm test` runs).
 *
 * lmdb stays outside, for it finds its native part beside its own files. Names and lines are kept, so that a stack
 * trace can be read; the source maps tell the rest to `node --enable-source-maps`.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

mkdirSync('dist', { recursive: true });
// The stamps are `need_build`'s.
for (const name of readdirSync('dist'))
  if (!name.startsWith('.built')) rmSync(`dist/${name}`, { recursive: true });

/** `up` finds the agent at the path that it has in the source, so that a module hook can run several hosts in one process. */
const agentApart = {
  name: 'agent-apart',
  setup({ onResolve }) {
    onResolve({ filter: /\/agent\/agent\.ts$/ }, ({ kind }) =>
      kind === 'entry-point' ? undefined : { path: '../agent/agent.js', external: true },
    );
  },
};

await build({
  entryPoints: ['src/bin/portcullis.ts', 'src/cli/up.ts', 'src/agent/agent.ts'],
  outbase: 'src',
  outdir: 'dist',
  plugins: [agentApart],
  bundle: true,
  // What only some commands need is in files of its own.
  splitting: true,
  chunkNames: 'shared/[name]-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  external: ['lmdb'],
  sourcemap: 'linked',
  legalComments: 'none',
  logLevel: 'warning',
  // Packages in CommonJS ask for Node's own modules by `require`.
  banner: {
    js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);",
  },
});
