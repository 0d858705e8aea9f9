/** What clients get for faults: a table of them has an answer for every code, or it does not compile. */

export interface FaultAnswer<F> {
  readonly status: number;
  /** Neutron's exception; the code itself when absent. */
  readonly type?: string;
  readonly text: (fault: F) => string;
}

export type AnswersTo<F extends { readonly code: string }> = {
  readonly [C in F['code']]: FaultAnswer<Extract<F, { readonly code: C }>>;
};
