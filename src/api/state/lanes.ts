/**
 * Queues of plans that contend for the same record. Plans that arrive while the lane's transaction is under way share the
 * next transaction. A plan that is refused in a shared transaction is committed again alone, so sharing changes no
 * decision and no answer. Rejected: `Throttler`, whose run takes all callers; a transaction here has a size limit.
 */
import { Contended, type Plan } from './change.ts';

/** Commits one plan, by itself. */
type Commit = <T>(plan: Plan<T>) => Promise<T>;

/** Settles the request's promise. */
type Ending = () => void | Promise<void>;

/** A plan with the request that waits for it. */
interface Waiting {
  /** Decides on the change; returns what settles the request once the change is committed. */
  readonly plan: Plan<Ending>;
  /** Commits it alone and settles the request. */
  readonly alone: Ending;
  readonly fail: (error: unknown) => void;
}

/** Requests that share a transaction at most: a store may limit its size. */
const maxBatch = 32;

export class Lanes {
  readonly #commit: Commit;
  /** Lanes with a transaction under way. */
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(commit: Commit) {
    this.#commit = commit;
  }

  /** Settles as `commit` of the plan alone would. */
  enter<T>(lane: string, plan: Plan<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        plan: (change) => {
          const result = plan(change);
          return () => resolve(result);
        },
        alone: () => this.#commit(plan).then(resolve, reject),
        fail: reject,
      };
      const queue = this.#waiting.get(lane);
      if (queue !== undefined) {
        queue.push(waiting);
        return;
      }
      const begun = [waiting];
      this.#waiting.set(lane, begun);
      void this.#drain(lane, begun);
    });
  }

  async #drain(lane: string, queue: Waiting[]): Promise<void> {
    while (queue.length > 0) await this.#together(queue.splice(0, maxBatch));
    this.#waiting.delete(lane);
  }

  /** Never rejects. */
  async #together(group: readonly Waiting[]): Promise<void> {
    try {
      const endings = await this.#commit((change) =>
        group.map(({ plan, alone }) => {
          try {
            return change.share(plan);
          } catch (error) {
            if (error instanceof Contended) throw error;
            return alone;
          }
        }),
      );
      for (const end of endings) void end();
    } catch (error) {
      for (const { fail } of group) fail(error);
    }
  }
}
