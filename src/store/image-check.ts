/**
 * Checks an lmdb data file before lmdb maps it. Foreign bytes, or pages past the end of a cut file, end the
 * process in native code (SIGSEGV, SIGBUS), where no error can be caught. Checks only the head of the file.
 */
import { open } from 'node:fs/promises';

/** `struct MDB_meta` behind the 24-byte page header, in the layout of lmdb's data version 2; little-endian. */
const at = { magic: 24, version: 28, pageSize: 48, lastPage: 144, transaction: 152, end: 160 } as const;
const magic = 0xbeefc0de;
const version = 2;
const minPageSize = 256;

/** The damage of the file, or null. A missing or empty file is a store that was never written. */
export async function damageOf(path: string): Promise<string | null> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const { size } = await file.stat();
    if (size === 0) return null;
    const meta = async (position: number): Promise<Buffer | null> => {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(at.end), 0, at.end, position);
      const known =
        bytesRead === at.end &&
        buffer.readUInt32LE(at.magic) === magic &&
        buffer.readUInt32LE(at.version) === version;
      return known ? buffer : null;
    };
    const first = await meta(0);
    const pageSize = first?.readUInt32LE(at.pageSize) ?? 0;
    const second = first === null || pageSize < minPageSize ? null : await meta(pageSize);
    if (first === null || second === null) return 'it is not an lmdb file';
    const newer =
      first.readBigUInt64LE(at.transaction) >= second.readBigUInt64LE(at.transaction) ? first : second;
    const wanted = (newer.readBigUInt64LE(at.lastPage) + 1n) * BigInt(pageSize);
    return BigInt(size) < wanted ? `it has ${size} bytes of ${wanted}` : null;
  } finally {
    await file.close();
  }
}
