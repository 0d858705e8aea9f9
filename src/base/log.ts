/**
 * The process's log: JSON lines on standard error, so that standard output carries answers only. A component
 * that logs takes a `Log` and makes a child with its name. Data goes in fields; the text is one sentence.
 */

import type { Logger } from 'pino';
import { destination, pino } from 'pino';

export type Log = Logger;

export function createLog(level: string): Log {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    destination({ fd: 2, sync: true }),
  );
}

/** For callers that want no log, such as tests. */
export function silentLog(): Log {
  return pino({ level: 'silent' });
}
