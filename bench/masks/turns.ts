/**
 * Compares several situations of one stream on a machine that does other work too. Each lasts for a part of a second.
 * They follow each other in one order and then in the reverse, so that what changes slowly falls on all alike. Ratios
 * are taken round by round.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { median, quantile, round } from '../report.ts';
import type { NeighbourStream, Reading } from './neighbour.ts';

/** After a change the switch still works on what came before. */
const settlingTime = 100;
const turnTime = 400;

/** One round of one situation. */
interface Taken {
  readonly bytesPerSecond: number;
  readonly switchSecondsPerByte: number;
}

export type Rounds<Side extends string> = Readonly<Record<Side, readonly Taken[]>>;

const sum = (all: readonly (readonly [Reading, Reading])[], of: (reading: Reading) => number): number =>
  all.reduce((total, [before, after]) => total + of(after) - of(before), 0);

function takenOf(turns: readonly (readonly [Reading, Reading])[]): Taken {
  const bytes = sum(turns, (reading) => reading.bytes);
  return {
    bytesPerSecond: bytes / sum(turns, (reading) => reading.seconds),
    switchSecondsPerByte: sum(turns, (reading) => reading.switchSeconds) / bytes,
  };
}

/** `enter` brings a situation about; it does not wait. */
export async function alternate<Side extends string>(
  stream: NeighbourStream,
  sides: readonly Side[],
  rounds: number,
  enter: (side: Side) => void,
): Promise<Rounds<Side>> {
  const taken = Object.fromEntries(sides.map((side) => [side, [] as Taken[]])) as Record<Side, Taken[]>;
  for (let at = 0; at < rounds; at++) {
    const first = at % sides.length;
    const order = [...sides.slice(first), ...sides.slice(0, first)];
    const turns = new Map<Side, (readonly [Reading, Reading])[]>();
    for (const side of [...order, ...order.toReversed()]) {
      enter(side);
      await sleep(settlingTime);
      const before = stream.read();
      await sleep(turnTime);
      turns.set(side, [...(turns.get(side) ?? []), [before, stream.read()]]);
    }
    for (const [side, readings] of turns) taken[side].push(takenOf(readings));
  }
  return taken;
}

const spread = (name: string, values: readonly number[]) => ({
  [name]: round(median(values)),
  [`${name}_quartile_1`]: round(quantile(values, 0.25)),
  [`${name}_quartile_3`]: round(quantile(values, 0.75)),
});

/**
 * What is left of the stream in one situation, as a part of another: its throughput, and the bytes that a second of the
 * switch's CPU forwards.
 */
export function kept<Side extends string>(taken: Rounds<Side>, name: string, side: Side, to: Side) {
  const ratios = (of: (one: Taken) => number): number[] =>
    taken[side].map((one, at) => of(one) / of(taken[to][at] ?? one));
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
