/** The marks of flat networks and VLANs that networks have, by physical network. */
import { type KeyHandler, on } from '../../model/key-dispatch.ts';
import { keys } from '../../model/keys.ts';

export class TakenSegments {
  /** By mark: the id of the network. */
  readonly #owners = new Map<string, string>();

  get handlers(): readonly KeyHandler[] {
    return [
      on(keys.takenFlat, ({ key, record }) => this.#set(key, record)),
      on(keys.takenVlan, ({ key, record }) => this.#set(key, record)),
    ];
  }

  isFree(mark: string): boolean {
    return !this.#owners.has(mark);
  }

  /** Marks with the ids of their networks. */
  entries(): IterableIterator<[mark: string, network: string]> {
    return this.#owners.entries();
  }

  #set(mark: string, owner: string | null): void {
    if (owner === null) this.#owners.delete(mark);
    else this.#owners.set(mark, owner);
  }
}
