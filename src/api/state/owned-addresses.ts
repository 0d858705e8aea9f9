/** Owners of addresses that several ports may claim, by key and by port. Filled by the state, as the store says. */
import type { OwnerRecord } from '../../model/records.ts';

export interface OwnedAddress {
  readonly network: string;
  readonly address: string;
  readonly record: OwnerRecord;
}

export class OwnedAddresses {
  readonly #byKey = new Map<string, OwnedAddress>();
  readonly #keysOfPort = new Map<string, Set<string>>();

  apply(
    key: string,
    { network, address }: Pick<OwnedAddress, 'network' | 'address'>,
    record: OwnerRecord | null,
  ): void {
    const before = this.#byKey.get(key);
    if (before !== undefined) {
      const held = this.#keysOfPort.get(before.record.port);
      held?.delete(key);
      if (held?.size === 0) this.#keysOfPort.delete(before.record.port);
      this.#byKey.delete(key);
    }
    if (record === null) return;
    this.#byKey.set(key, { network, address, record });
    this.#keysOfPort.set(record.port, (this.#keysOfPort.get(record.port) ?? new Set()).add(key));
  }

  get(key: string): OwnedAddress | undefined {
    return this.#byKey.get(key);
  }

  all(): Iterable<OwnedAddress> {
    return this.#byKey.values();
  }

  keysOf(port: string): ReadonlySet<string> {
    return this.#keysOfPort.get(port) ?? new Set();
  }
}
