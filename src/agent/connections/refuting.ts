/**
 * Ends a connection of any protocol in a kernel's table, where a flush names TCP and UDP only. Which, others decide.
 *
 * An ICMP error that quotes the connection's first packet belongs to the connection, in the direction of its answers. A
 * forced commit of a packet in that direction deletes the connection, to begin another one with the packet; but the error
 * is related to nothing then, and begins none. A forced commit of an answer would leave a connection behind.
 */
import type { Session } from '../../openflow/index.ts';
import type { ConntrackEntry } from '../../ovsdb/index.ts';
import { errorAbout } from './error-about.ts';

/** It has happened at the session's next barrier. */
export function refute(session: Pick<Session, 'packetOut'>, entry: ConntrackEntry): void {
  const { zone } = entry;
  session.packetOut({
    data: errorAbout(entry),
    actions: [
      { type: 'ct', zone },
      { type: 'ct', zone, commit: true, force: true },
    ],
  });
}
