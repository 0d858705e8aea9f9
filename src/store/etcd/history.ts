/**
 * Notices that etcd has another history than before: an administrator restored an older snapshot, or made the cluster anew.
 * Each answer names its cluster, and the revision of a linearizable call is never below one that was received before the
 * call. What this process knows is then of no use, and conditions on revisions could hold by accident.
 *
 * A restored cluster that keeps its token, and has passed the old revision before anybody asks, cannot be told from
 * the old one. docs/operations.md therefore demands a new token.
 */
import type { Fields } from './protobuf.ts';

export class History {
  #cluster = 0;
  #revision = 0;
  #isReplaced = false;
  #onReplaced: () => void = () => {};
  readonly replaced = new Promise<void>((resolve) => {
    this.#onReplaced = resolve;
  });

  get isReplaced(): boolean {
    return this.#isReplaced;
  }

  /** The highest revision that was received so far: no answer to a call from now on is below it. */
  get revision(): number {
    return this.#revision;
  }

  /** A watch has told of this revision. */
  saw(revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
  }

  /** `floor`: `revision` when the call was made. */
  take(answer: Fields, floor: number): void {
    const header = answer.message(1);
    const [cluster, revision] = [header?.int(1) ?? 0, header?.int(3) ?? 0];
    const isOther = this.#cluster !== 0 && cluster !== 0 && cluster !== this.#cluster;
    if (isOther || (revision !== 0 && revision < floor)) {
      this.#isReplaced = true;
      this.#onReplaced();
      return;
    }
    if (cluster !== 0) this.#cluster = cluster;
    this.saw(revision);
  }
}
