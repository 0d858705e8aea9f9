/** The package's version, from the one place that has it. */
import { readFileSync } from 'node:fs';

export function version(): string {
  // Two folders up from here, both in the sources and in the build.
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}
