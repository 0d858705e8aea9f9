/**
 * Exchanges between guests that pass or are dropped. A drop counts only when the switch counted it as a drop
 * by rules; silence for another reason is a failure.
 */
import { expect } from 'vitest';
import { passTimeout } from '../lib/probe.ts';
import { until } from '../lib/wait.ts';
import type { Cloud, Member } from './cloud.ts';

/** Seconds in which an allowed packet would have passed; the counters show whether it was judged. */
const moment = 0.4;

export interface Exchange {
  readonly from: Member;
  readonly to: Member;
  readonly what: string;
  /** Resolves with `ok` when an answer came within these seconds. */
  readonly attempt: (seconds: number) => Promise<string>;
}

type Family = 4 | 6;

export const tcp = (from: Member, to: Member, port: number, family: Family = 4): Exchange => ({
  from,
  to,
  what: `TCP ${port} over IPv${family}`,
  attempt: (timeout) => from.probe.tcp(to.address(family), port, { timeout }),
});

export const udp = (
  from: Member,
  to: Member,
  port: number,
  options: { readonly family?: Family; readonly size?: number } = {},
): Exchange => {
  const { family = 4, size = 4 } = options;
  return {
    from,
    to,
    what: `UDP ${port} over IPv${family}, ${size} bytes`,
    attempt: (timeout) => from.probe.udp(to.address(family), port, { timeout, size }),
  };
};

export const ping = (from: Member, to: Member, family: Family = 4, size = 56): Exchange => ({
  from,
  to,
  what: `ping over IPv${family}, ${size} bytes`,
  attempt: async (seconds) => {
    const words = ['-c', '1', '-s', String(size), '-W', String(seconds), to.address(family)];
    const { code } = await from.runAnyway('ping', words);
    return code === 0 ? 'ok' : 'timeout';
  },
});

const told = async (exchanges: readonly Exchange[], seconds: number): Promise<string[]> =>
  Promise.all(
    exchanges.map(async ({ from, to, what, attempt }) => {
      const result = await attempt(seconds);
      return `${from.port.name} to ${to.port.name}, ${what}: ${result}`;
    }),
  );

const expected = (exchanges: readonly Exchange[], result: string): string[] =>
  exchanges.map(({ from, to, what }) => `${from.port.name} to ${to.port.name}, ${what}: ${result}`);

export async function passes(...exchanges: readonly Exchange[]): Promise<void> {
  expect(await told(exchanges, passTimeout)).toEqual(expected(exchanges, 'ok'));
}

/** `side`: whose rules drop, the receiver's (ingress) or the sender's (egress). */
export async function isRefused(
  cloud: Cloud,
  side: 'ingress' | 'egress',
  ...exchanges: readonly Exchange[]
): Promise<void> {
  const guards = exchanges.map(({ from, to }) => (side === 'ingress' ? to : from));
  const losses = async () => Promise.all(guards.map(({ id }) => cloud.dropped(id, side, `${side}-rules`)));
  const before = await losses();
  expect(await told(exchanges, moment)).toEqual(expected(exchanges, 'timeout'));
  await until(
    async () =>
      (await losses()).every((after, at) => {
        const share = guards.filter((guard) => guard === guards[at]).length;
        return after >= (before[at] ?? 0) + share;
      }),
    { what: `the ${side} rules drop ${exchanges.map(({ what }) => what).join(', ')}`, interval: 50 },
  );
}
