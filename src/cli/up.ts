/**
 * `portcullis up`, `server` and `agent`: opens the store, starts the parts on it, and stops them in reverse order at a
 * signal. Server and agent share nothing but the store.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import type { Logger } from 'pino';
import { Agent } from '../agent/agent.ts';
import { Backoff } from '../base/backoff.ts';
import { Fault, reasonOf } from '../base/errors.ts';
import { createLog } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import { keys } from '../model/keys.ts';
import type { Store, StoreFault } from '../store/contract.ts';
import { refuseUnfinished } from '../store/copy.ts';
import { startAgent } from './agent-part.ts';
import type { PartContext } from './server-part.ts';
import type { Part, Settings } from './settings.ts';
import { openChosen } from './store-part.ts';
import { refuseNewer } from './store-schema.ts';
import { version } from './version.ts';

/** Milliseconds after which a switch that has not answered counts as absent: it may come later. */
const switchTimeout = 5000;
/** Milliseconds for an orderly end. */
const stopTimeout = 10_000;

/**
 * Collect garbage when the heap has grown by half, not when it has doubled or more. The heap has indexes that
 * hardly change, so waiting saves little work and costs a third of the memory.
 */
const heapGrowth = '--heap-growing-percent=50';

/**
 * Every object starts in the young generation. By default V8 learns from a burst of long-lived objects
 * (thousands of ports in a request). It then allocates objects of the same code in the old generation, those
 * of HTTP too. Half of each request's objects then stay until the next full collection. Requests of all kinds
 * take twice the time, with pauses of 5 ms (p99 of show).
 */
const youngAtFirst = '--no-allocation-site-pretenuring';

/**
 * Bytes of bytecode that a function runs before V8 considers it for optimization, during a start and V8's own default. A
 * start runs most code a few hundred times, and optimizing it took more CPU than the optimized code saved: 1.0 s of CPU
 * against 0.77 s at 1,000 ports. Starts of 5,000 ports, and of 1,000 local ports, gained too.
 */
const interruptBudget = { start: 1_000_000, usual: 67_584 } as const;
const setInterruptBudget = (bytes: number): void => setFlagsFromString(`--interrupt-budget=${bytes}`);

/** Both parts, or one alone. */
type Parts = Part | 'both';

/**
 * Resolves after SIGTERM, SIGINT or SIGHUP, when all is closed. Throws the fault that kept a part from starting. A shared
 * store that does not answer keeps none from starting: the parts wait for it. When the store was replaced by an older
 * copy, all parts begin again, because nothing that they know is true of it.
 */
export async function up(settings: Settings, parts: Parts = 'both'): Promise<void> {
  setFlagsFromString(youngAtFirst);
  const stopped = stopSignal();
  const log = createLog(settings.log.level);
  const backoff = new Backoff({ minDelay: 200, maxDelay: 5000 });
  const announce = onceOnly((ready: string) => void process.stdout.write(`portcullis ready: ${ready}\n`));
  for (;;) {
    const end = await runParts({ settings, parts, log, stopped, announce }).catch((error: unknown) => {
      if (!isAway(error, settings)) throw error;
      log.warn({ store: settings.store, reason: reasonOf(error) }, 'the store does not answer; will retry');
      return 'away' as const;
    });
    if (end === 'signal') return;
    if (end === 'replaced') backoff.reset();
    if ((await Promise.race([delay(backoff.next()), stopped])) === 'signal') return;
  }
}

/** An embedded store that cannot be opened stays so. */
const isAway = (error: unknown, { store }: Settings): boolean =>
  store !== 'embedded' &&
  error instanceof Fault &&
  error.name === 'StoreUnavailable' &&
  (error as Fault<Extract<StoreFault, { code: 'StoreUnavailable' }>>).data.isRefusal !== true;

interface Run {
  readonly settings: Settings;
  readonly parts: Parts;
  readonly log: Logger;
  readonly stopped: Promise<'signal'>;
  /** Says once that the process is ready. */
  readonly announce: (ready: string) => void;
}

/** Opens the store, starts the parts and closes all of it at the end. */
async function runParts({ settings, parts, log, stopped, announce }: Run): Promise<'signal' | 'replaced'> {
  setInterruptBudget(interruptBudget.start);
  const closers: (() => Promise<void>)[] = [];
  const onStop = (close: () => Promise<void>): void => void closers.push(close);
  try {
    const metrics = createMetrics();
    const store = await openFor(parts, settings, log);
    onStop(() => store.close());
    const context = { settings, store, log, metrics, onStop };
    const address = parts === 'agent' ? null : await startApi(context);
    const agent = parts === 'server' ? null : await startAgent(context, (options) => new Agent(options));
    const ended = Promise.race([
      stopped,
      replacementOf(store),
      ...(agent === null ? [] : [thrown(agent.taken)]),
    ]);
    const first = agent === null ? 'applied' : await Promise.race([firstOf(agent), ended]);
    // Not before: nearly all that a start makes lives on, so that collections during it free little.
    setFlagsFromString(heapGrowth);
    setInterruptBudget(interruptBudget.usual);
    if (first !== 'signal' && first !== 'replaced') {
      if (first === 'late') logLate(log, settings, agent?.hasSwitch === true);
      announce(address ?? `agent of ${settings.host}`);
      log.info({ version: version(), address, ...(agent === null ? {} : { host: settings.host }) }, 'ready');
    }
    const end = await ended;
    if (end === 'signal') log.info('stopping; flows stay in the switch');
    else log.warn({ store: settings.store }, 'the store was replaced by another; all parts start again');
    return end;
  } finally {
    const force = setTimeout(() => {
      log.error('could not stop in time');
      process.exit(1);
    }, stopTimeout);
    for (const close of closers.reverse()) {
      await close().catch((error: unknown) => log.error({ reason: reasonOf(error) }, 'a part did not close'));
    }
    clearTimeout(force);
  }
}

/** The server's code stays out of the memory of a process that is an agent alone. */
async function startApi(context: PartContext): Promise<string> {
  const { startServer } = await import('./server-part.ts');
  return startServer(context);
}

async function replacementOf({ replaced }: Store): Promise<'replaced'> {
  await (replaced ?? new Promise<never>(() => {}));
  return 'replaced';
}

async function thrown(fault: Promise<Error>): Promise<never> {
  throw await fault;
}

function onceOnly(call: (text: string) => void): (text: string) => void {
  let isDone = false;
  return (text) => {
    if (!isDone) call(text);
    isDone = true;
  };
}

/** The embedded store belongs to one process; the error of a second part explains that. */
async function openFor(parts: Parts, settings: Settings, log: Logger): Promise<Store> {
  const isShared = settings.store !== 'embedded';
  const hint = 'the embedded store serves one process: `portcullis up` runs server and agent on it together';
  if (parts !== 'both' && !isShared) log.warn({ data_dir: settings.data_dir, part: parts }, hint);
  try {
    const store = await openChosen(settings, parts === 'server' ? 'servers' : `agents/${settings.host}`);
    await Promise.all([refuseUnfinished(store, keys.copyUnderWay()), refuseNewer(store)]).catch(
      async (error: unknown) => {
        await store.close();
        throw error;
      },
    );
    const { operations, bytes } = store.limits;
    if (isShared) log.info({ store: settings.store, operations, bytes }, 'store is open');
    return store;
  } catch (error) {
    if (parts === 'both' || !(error instanceof Fault) || error.name !== 'StoreLocked') throw error;
    const { data } = error as Fault<StoreFault>;
    throw new Fault<StoreFault>(data, `${reasonOf(error)}; ${hint}`);
  }
}

/** Whether the switch equals the store within the time. */
function firstOf(agent: Agent): Promise<'applied' | 'late'> {
  const applied = agent.firstApplied.then(() => 'applied' as const);
  // Does not keep the process alive: a signal in its first seconds ends it at once.
  return Promise.race([applied, delay(switchTimeout, 'late' as const, { ref: false })]);
}

/** A switch that answers is late where the agent waits for a server to number the records of an older store. */
function logLate(log: Logger, { ovsdb, host }: Settings, hasSwitch: boolean): void {
  if (hasSwitch) log.warn({ host }, 'the switch does not equal the store yet; the agent goes on');
  else log.warn({ ovsdb }, 'no switch answers yet; the agent retries');
}

function stopSignal(): Promise<'signal'> {
  return new Promise((done) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => done('signal'));
  });
}
