/** Tokens are kept and compared by their SHA-256 only: memory holds no token, and timing reveals none. */
import { createHash } from 'node:crypto';

/** 64 hexadecimal digits. */
export const digestOf = (token: string): string => createHash('sha256').update(token).digest('hex');
