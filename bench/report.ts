/**
 * The bench's output: one JSON line a figure set on standard output, progress on standard error. A target
 * belongs to a named figure, so each line shows its target and whether it was met.
 */
export type Figures = Readonly<Record<string, number | string | boolean | null>>;

export interface Limit {
  readonly figure: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** A figure without a limit is information only; `ok` is null where no figure has a limit. */
export function emit(bench: string, n: number | null, figures: Figures, limits: readonly Limit[] = []): void {
  const target = Object.fromEntries(
    limits.map(({ figure, atMost, atLeast }) => [
      figure,
      [
        ...(atLeast === undefined ? [] : [`>= ${atLeast}`]),
        ...(atMost === undefined ? [] : [`<= ${atMost}`]),
      ].join(' and '),
    ]),
  );
  const ok = limits.length === 0 ? null : limits.every((limit) => holds(figures, limit));
  process.stdout.write(
    `${JSON.stringify({ bench, n, ...figures, target: limits.length === 0 ? null : target, ok })}\n`,
  );
}

function holds(figures: Figures, { figure, atMost = Infinity, atLeast = -Infinity }: Limit): boolean {
  const value = figures[figure];
  return typeof value === 'number' && value <= atMost && value >= atLeast;
}

export function progress(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

/** The value below which a `share` (0 to 1) of the values lies; NaN for none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Rounds to three significant digits. */
export function round(value: number, digits = 3): number {
  return Number.isFinite(value) ? Number(value.toPrecision(digits)) : value;
}
