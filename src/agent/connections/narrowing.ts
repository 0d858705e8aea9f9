/**
 * Takes ports out of the records of live connections, which go on for the others that admitted them. Whom, and whether
 * they are gone, others decide. A commit of an error about a connection writes its record and changes nothing else.
 */
import type { Action } from '../../openflow/index.ts';
import type { ConntrackEntry } from '../../ovsdb/index.ts';
import { errorAbout } from './error-about.ts';
import type { CuttingSession } from './severing.ts';

export interface Narrowing {
  readonly entry: ConntrackEntry;
  /** What is to be written to its record. */
  readonly writes: readonly Action[];
  /** A removed port may be on the record again at once, by an answer that its rules allow; that needs no further action. */
  readonly comesBack: boolean;
}

/** Resolves when the switch has been told all of it. */
export async function narrow(session: CuttingSession, narrowings: readonly Narrowing[]): Promise<void> {
  for (const { entry, writes } of narrowings)
    session.packetOut({
      data: errorAbout(entry),
      actions: [{ type: 'ct', commit: true, zone: entry.zone, exec: writes }],
    });
  await session.barrier();
}
