/** Makes the directory of a store, with its parents. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : null);

/**
 * Rejects when the directory cannot be made. Rejected: `mkdir` with `recursive`. In Node 20 it never ends under a parent
 * that exists and takes no directories, such as /proc.
 */
export async function makeDirectory(path: string): Promise<void> {
  const make = () => mkdir(path, { mode: 0o700 });
  try {
    await make();
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await makeDirectory(dirname(path));
    await make().catch((later: unknown) => {
      if (codeOf(later) !== 'EEXIST') throw later;
    });
  }
}
