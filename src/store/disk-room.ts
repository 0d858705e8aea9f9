/**
 * Checks before a write that the disk has room for it. lmdb must not meet a full disk itself. When the system
 * refuses it a page, lmdb 3.5 overruns the buffer of the error's text, and the process dies sooner or later.
 */
import { statfs } from 'node:fs/promises';

/** Bytes that stay free: other programs write to the disk between the check and the write. */
const minFreeBytes = 16 << 20;

const mebibytes = (bytes: number): number => Math.floor(bytes / 2 ** 20);

/** Throws when the directory's disk has no room for so many bytes. */
export async function requireRoom(directory: string, bytes: number): Promise<void> {
  const { blocks, bavail, bsize } = await statfs(directory);
  // Some file systems do not report it.
  if (blocks === 0) return;
  const free = bavail * bsize;
  if (free < minFreeBytes + bytes)
    throw new Error(
      `${mebibytes(free)} MiB are free on the disk of ${directory}, ${mebibytes(minFreeBytes + bytes)} MiB must be`,
    );
}
