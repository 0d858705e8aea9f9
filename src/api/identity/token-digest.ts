/** Tokens are kept and looked up by their SHA-256 only: no list of them lies in memory, no comparison takes its time. */
import { createHash } from 'node:crypto';

/** 64 hexadecimal digits. */
export const digestOf = (token: string): string => createHash('sha256').update(token).digest('hex');
