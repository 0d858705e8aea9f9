import { describe, expect, it } from 'vitest';
import { Limiter, Sequencer, Throttler } from './async.ts';

/** A task that ends when the test calls `end`. */
function task() {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { end, ended };
}

describe('a limiter', () => {
  it('admits a limited number of tasks and makes the others wait in order', async () => {
    const limiter = new Limiter(2);
    const order: number[] = [];
    const tasks = [0, 1, 2, 3].map(() => task());
    const runs = tasks.map(({ ended }, at) =>
      limiter.run(() => {
        order.push(at);
        return ended;
      }),
    );
    await Promise.resolve();
    await Promise.resolve();
    expect(order).toEqual([0, 1]);
    tasks[1]?.end();
    await runs[1];
    await expect.poll(() => order).toEqual([0, 1, 2]);
    for (const { end } of tasks) end();
    await Promise.all(runs);
    expect(order).toEqual([0, 1, 2, 3]);
  });

  it('gives the place of a failed task and of an aborted wait to the next task', async () => {
    const limiter = new Limiter(1);
    const release = await limiter.acquire();
    const controller = new AbortController();
    const aborted = limiter.acquire(controller.signal);
    const failed = limiter.run(() => Promise.reject(new Error('broken')));
    const last = limiter.run(() => 'done');
    controller.abort(new Error('too late'));
    await expect(aborted).rejects.toThrow('too late');
    release();
    await expect(failed).rejects.toThrow('broken');
    expect(await last).toBe('done');
    await expect(limiter.acquire(AbortSignal.abort(new Error('never')))).rejects.toThrow('never');
  });
});

describe('a sequencer', () => {
  it('runs one at a time', async () => {
    const sequencer = new Sequencer();
    let inside = 0;
    const most = await Promise.all(
      [1, 2, 3].map(() =>
        sequencer.run(async () => {
          inside += 1;
          await Promise.resolve();
          return inside--;
        }),
      ),
    );
    expect(most).toEqual([1, 1, 1]);
  });
});

describe('a throttler', () => {
  it('shares a run among callers that come before it leaves, and starts another for later ones', async () => {
    const gates = [task(), task()];
    const drives = [task(), task()];
    let runs = 0;
    const throttler = new Throttler(async (leave) => {
      const own = runs++;
      await gates[own]?.ended;
      leave();
      await drives[own]?.ended;
      return own;
    });
    const first = throttler.run();
    expect(throttler.run()).toBe(first);
    gates[0]?.end();
    await expect.poll(() => throttler.run() === first).toBe(false);
    const second = throttler.run();
    for (const { end } of [...gates, ...drives]) end();
    expect(await first).toBe(0);
    expect(await second).toBe(1);
  });

  it('fails for all callers of a failed run, and runs again afterwards', async () => {
    let runs = 0;
    const throttler = new Throttler(async (leave) => {
      leave();
      if (runs++ === 0) throw new Error('broken');
      return 'done';
    });
    await expect(throttler.run()).rejects.toThrow('broken');
    expect(await throttler.run()).toBe('done');
  });
});
