/** What a handler of punted packets is: a pure function from a packet and the facts to what should happen. */
import type { Cidr, Family } from '../../net/cidr.ts';
import type { Match } from '../../openflow/index.ts';
import type { Facts } from '../../pipeline/facts.ts';
import type { LocalPort } from '../../pipeline/local-port.ts';
import type { Relations } from '../../pipeline/relations.ts';
import type { Condition } from '../../store/contract.ts';
import type { Resumed } from './resuming.ts';

export interface PuntedPacket {
  readonly data: Uint8Array;
  /** The port that sent it, as the flow said and not as the packet says. */
  readonly local: LocalPort;
  /** What the switch says of it, such as registers. */
  readonly fields: Match;
}

export interface PuntView {
  readonly facts: Facts;
  readonly relations: Relations;
}

export type PuntOutcome =
  | ClaimedOutcome
  /** The packet ends here, and these leave by the port that sent it. */
  | { readonly kind: 'answered'; readonly packets: readonly Uint8Array[] }
  /** The packet ends here. A router sends an IP packet of its own, by the routes that it has. */
  | {
      readonly kind: 'router-sends';
      /** Number of the router in registers. */
      readonly router: number;
      readonly family: Family;
      readonly packet: Uint8Array;
    }
  /** The packet ends here: the guest has seen another user of an address that the DHCP server gave it. */
  | { readonly kind: 'declined'; readonly address: Cidr; readonly packets: readonly Uint8Array[] }
  /** A copy: its connection goes on, and so does the packet. */
  | ({ readonly kind: 'connection-moved' } & Resumed)
  /** Nothing to do: the packet ends here. */
  | { readonly kind: 'ignored' }
  /** The packet ends here because somebody else has the address; counted as a drop of the port. */
  | { readonly kind: 'refused'; readonly address: string; readonly owner: string }
  /** One transaction. The packet goes on once the flows that follow from it are on the switch. */
  | {
      readonly kind: 'recorded';
      readonly put: { readonly key: string; readonly value: string };
      /** The value that `put` replaces; null: the key must be absent. */
      readonly replaces: string | null;
      readonly conditions: readonly Condition[];
      readonly deletes: readonly string[];
    };

/**
 * One change of a record, whatever it says by then: compare and swap. The packet was a copy, so nothing goes on.
 */
export interface ClaimedOutcome {
  readonly kind: 'claimed';
  readonly key: string;
  readonly address: string;
  readonly conditions: readonly Condition[];
  /** The new value for the present one, which is null where there is none; null where nothing is to be written. */
  readonly next: (present: string | null) => string | null;
}

export const ignored: PuntOutcome = { kind: 'ignored' };

export interface PuntHandler {
  /** Max packets of one port that wait or are under way; further ones are dropped. */
  readonly maxWaitingPerPort: number;
  /** Never throws, whatever the packet is. */
  readonly handle: (packet: PuntedPacket, view: PuntView) => PuntOutcome;
}
