/** Histories that are known to be linearizable, and histories that are known not to be. */
import { expect, test } from 'vitest';
import { linearizationFault, type Operation } from './linearizability.ts';

type At = readonly [called: number, answered: number | null];

const write = ([called, answered]: At, value: string): Operation<string> => ({
  called,
  answered,
  step: () => value,
  text: `write ${value}`,
});
const read = ([called, answered]: At, value: string): Operation<string> => ({
  called,
  answered,
  step: (state) => (state === value ? state : null),
  text: `read ${value}`,
});
const swap = ([called, answered]: At, from: string, to: string): Operation<string> => ({
  called,
  answered,
  step: (state) => (state === from ? to : null),
  text: `swap ${from} for ${to}`,
});

const faultOf = (...history: readonly Operation<string>[]) =>
  linearizationFault('0', history, (state) => state);

const good: Readonly<Record<string, readonly Operation<string>[]>> = {
  'nothing at all': [],
  'one after the other': [write([0, 1], 'a'), read([2, 3], 'a'), write([4, 5], 'b'), read([6, 7], 'b')],
  'a read beside a write sees either': [
    write([0, 10], 'a'),
    read([1, 2], '0'),
    read([3, 4], 'a'),
    read([5, 6], 'a'),
  ],
  'writes that overlap, in the order of no answer': [
    write([0, 10], 'a'),
    write([0, 10], 'b'),
    read([11, 12], 'a'),
    read([13, 14], 'a'),
  ],
  'a write without an answer that happens late': [
    write([0, null], 'a'),
    read([1, 2], '0'),
    write([3, 4], 'b'),
    read([5, 6], 'b'),
    read([7, 8], 'a'),
  ],
  'a write without an answer that never happens': [write([0, null], 'a'), read([1, 2], '0')],
  'swaps that need an order other than that of their calls': [
    swap([0, 9], 'b', 'c'),
    swap([1, 9], 'a', 'b'),
    swap([2, 9], '0', 'a'),
    read([10, 11], 'c'),
  ],
};
for (const [what, history] of Object.entries(good))
  test(`linearizable: ${what}`, () => expect(faultOf(...history)).toBeNull());

const bad: Readonly<Record<string, readonly Operation<string>[]>> = {
  'a lost write': [write([0, 1], 'a'), read([2, 3], '0')],
  'a stale read': [write([0, 1], 'a'), write([2, 3], 'b'), read([4, 5], 'a')],
  'reads that disagree about the order of two writes': [
    write([0, 20], 'a'),
    write([0, 20], 'b'),
    read([1, 2], 'a'),
    read([3, 4], 'b'),
    read([5, 6], 'a'),
  ],
  'a write that happens before its call': [read([0, 1], 'a'), write([2, null], 'a')],
  'one swap that is made twice': [swap([0, 9], '0', 'a'), swap([0, 9], '0', 'b')],
  'a write without an answer that happens twice': [
    write([0, null], 'a'),
    read([1, 2], 'a'),
    write([3, 4], 'b'),
    read([5, 6], 'a'),
  ],
};
for (const [what, history] of Object.entries(bad))
  test(`not linearizable: ${what}`, () => expect(faultOf(...history)).not.toBeNull());

test('a long history is decided soon, and its first fault is named', () => {
  const history: Operation<string>[] = [];
  for (let n = 0; n < 2000; n++) {
    history.push(swap([n * 10, n * 10 + 25], n === 0 ? '0' : String(n - 1), String(n)));
    if (n % 100 === 0) history.push(write([n * 10, null], `never ${n}`));
  }
  expect(faultOf(...history)).toBeNull();
  history.push(read([5000, 5025], 'nothing'));
  expect(faultOf(...history)).toMatchObject({ ordered: 501 });
});
