/**
 * The last step of the build. Starts the built program without a switch, ends it, and writes V8's compiled
 * code into a file that `load-server.ts` reads at each start.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import v8 from 'node:v8';
import { codeCache, codeCacheFile } from '../dist/server/load.js';

// V8 accepts compiled code only under the flags of its compilation, and a start sets none.
v8.setFlagsFromString = () => undefined;

const folder = mkdtempSync(join(tmpdir(), 'portcullis-build-'));
process.on('exit', (code) => {
  if (code === 0) writeFileSync(codeCacheFile, codeCache());
  rmSync(folder, { recursive: true });
});
const config = join(folder, 'none.yaml');
writeFileSync(config, '');
const flags = ['--config', config, '--listen', '127.0.0.1:0', '--data-dir', folder];
process.argv.splice(2, Infinity, 'up', ...flags, '--ovsdb', `unix:${folder}/none`);
// `up` ends at the first signal after its start; those before and after do nothing.
process.on('SIGTERM', () => undefined);
setInterval(() => process.kill(process.pid, 'SIGTERM'), 200).unref();
await import('../dist/bin/portcullis.js');
