/**
 * Whether a disk has room for what is about to be written. lmdb must not find out by itself: where the system refuses it a
 * page, it overruns a buffer of its own (3.5: the error's text), and the process dies sooner or later.
 */
import { statfs } from 'node:fs/promises';

/** Bytes that stay free, since others write to the disk too between the look and the write. */
const spare = 16 << 20;

const mebibytes = (bytes: number): number => Math.floor(bytes / 2 ** 20);

/** Throws when the disk that the directory is on has no room for so many bytes. */
export async function requireRoom(directory: string, bytes: number): Promise<void> {
  const { blocks, bavail, bsize } = await statfs(directory);
  // Some file systems do not tell.
  if (blocks === 0) return;
  const free = bavail * bsize;
  if (free < spare + bytes)
    throw new Error(
      `${mebibytes(free)} MiB are free on the disk of ${directory}, ${mebibytes(spare + bytes)} MiB must be`,
    );
}
