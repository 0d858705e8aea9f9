/**
 * Finds out what became of a transaction whose answer was lost. Each transaction writes a slot that no other one uses at
 * that time, on the condition that the slot is unchanged. After a lost answer, a second transaction writes the slot
 * on the same condition. If it succeeds, the first was not made and cannot be made later: its condition fails.
 * Otherwise the slot has the first one's number, and the slot's revision is that of the transaction.
 *
 * A client's slots have a lease, so that they go with it.
 */
import { randomBytes } from 'node:crypto';

export interface Slot {
  readonly key: Buffer;
  /** The lease that its writes carry. */
  readonly lease: number;
  /** Of its last write; 0 before the first. */
  readonly revision: number;
}

export class Slots {
  readonly #free: Slot[] = [];
  readonly #placeOf: (number: number) => Buffer;
  readonly #lease: number;
  #made = 0;

  constructor(lease: number, placeOf: (number: number) => Buffer) {
    this.#lease = lease;
    this.#placeOf = placeOf;
  }

  take(): Slot {
    return this.#free.pop() ?? { key: this.#placeOf(this.#made++), lease: this.#lease, revision: 0 };
  }

  /** Only a slot whose revision is known may come back. */
  giveBack(slot: Slot, revision: number): void {
    this.#free.push({ ...slot, revision });
  }
}

/** The value by which a transaction is known. */
export const newMark = (): string => randomBytes(12).toString('base64');
