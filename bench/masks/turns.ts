/**
 * Compares situations of one stream on a machine that does other work too. Each lasts half a second. A round has all of them
 * in one order and then in reverse, so that slow changes of other load affect all alike. Ratios are per round.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { median, quantile, round } from '../report.ts';
import type { NeighbourStream, Reading } from './neighbour.ts';

/** Milliseconds in which the switch finishes the work of the former situation. */
const settlingTime = 100;
/** Milliseconds that are measured. */
const turnTime = 400;

/** One situation in one round. */
interface Sample {
  readonly bytesPerSecond: number;
  readonly switchSecondsPerByte: number;
}

export type Rounds<Situation extends string> = Readonly<Record<Situation, readonly Sample[]>>;

const sum = (all: readonly (readonly [Reading, Reading])[], of: (reading: Reading) => number): number =>
  all.reduce((total, [before, after]) => total + of(after) - of(before), 0);

function sampleOf(turns: readonly (readonly [Reading, Reading])[]): Sample {
  const bytes = sum(turns, (reading) => reading.bytes);
  return {
    bytesPerSecond: bytes / sum(turns, (reading) => reading.seconds),
    switchSecondsPerByte: sum(turns, (reading) => reading.switchSeconds) / bytes,
  };
}

/** `enter` starts a situation and does not wait. */
export async function alternate<Situation extends string>(
  stream: NeighbourStream,
  situations: readonly Situation[],
  rounds: number,
  enter: (situation: Situation) => void,
): Promise<Rounds<Situation>> {
  const samples = Object.fromEntries(situations.map((situation) => [situation, [] as Sample[]])) as Record<
    Situation,
    Sample[]
  >;
  for (let at = 0; at < rounds; at++) {
    const first = at % situations.length;
    const order = [...situations.slice(first), ...situations.slice(0, first)];
    const turns = new Map<Situation, (readonly [Reading, Reading])[]>();
    for (const situation of [...order, ...order.toReversed()]) {
      enter(situation);
      await sleep(settlingTime);
      const before = stream.read();
      await sleep(turnTime);
      turns.set(situation, [...(turns.get(situation) ?? []), [before, stream.read()]]);
    }
    for (const [situation, readings] of turns) samples[situation].push(sampleOf(readings));
  }
  return samples;
}

const spread = (name: string, values: readonly number[]) => ({
  [name]: round(median(values)),
  [`${name}_quartile_1`]: round(quantile(values, 0.25)),
  [`${name}_quartile_3`]: round(quantile(values, 0.75)),
});

/**
 * One situation ÷ another: the stream's throughput, and the bytes that the switch forwards in a second of CPU time.
 */
export function kept<Situation extends string>(
  samples: Rounds<Situation>,
  name: string,
  situation: Situation,
  to: Situation,
) {
  const ratios = (of: (one: Sample) => number): number[] =>
    samples[situation].map((one, at) => of(one) / of(samples[to][at] ?? one));
  return {
    ...spread(
      `throughput_${name}`,
      ratios(({ bytesPerSecond }) => bytesPerSecond),
    ),
    ...spread(
      `per_cpu_${name}`,
      ratios(({ switchSecondsPerByte }) => 1 / switchSecondsPerByte),
    ),
  };
}
