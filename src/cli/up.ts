/**
 * `portcullis up`: store, API and agent in one process, built in that order and taken down in the other. The
 * agent shares nothing with the API but the store.
 */
import { dirname, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { Agent } from '../agent/agent.ts';
import { createApi } from '../api/server.ts';
import { bug, reasonOf } from '../base/errors.ts';
import { createLog } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import { openStore } from '../store/index.ts';
import { registerAgentMetrics } from './agent-metrics.ts';
import { authenticatorOf } from './authentication.ts';
import { parseListen } from './listen.ts';
import { notifierOf, registerNovaMetrics } from './nova.ts';
import type { Settings } from './settings.ts';
import { version } from './version.ts';

/** Milliseconds after which a switch that has not answered counts as absent: it may come later. */
const switchPatience = 5000;
/** Milliseconds for an orderly end. */
const stopPatience = 10_000;

/**
 * Collect garbage when the heap has grown by half, not when it has doubled or more: what lives here is indexes that
 * hardly change, so waiting saves little work and costs a third of the memory.
 */
const heapGrowth = '--heap-growing-percent=50';

/**
 * Every object begins young. Left to itself V8 learns from a burst whose objects live (thousands of ports in a request)
 * that such places make old ones, HTTP's own among them. From then on half of what each request makes outlives it until
 * the next full collection, and requests of all kinds take twice the time, with pauses of 5 ms (p99 of show).
 */
const youngAtFirst = '--no-allocation-site-pretenuring';

/**
 * Bytes of bytecode that a function runs before V8 considers it for optimization, during a start and V8's own default. A
 * start runs most code a few hundred times, and optimizing it took more CPU than the optimized code saved: 1.0 s of CPU
 * against 0.77 s at 1,000 ports. Starts of 5,000 ports, and of 1,000 local ports, gained too.
 */
const interruptBudget = { start: 1_000_000, usual: 67_584 } as const;
const setInterruptBudget = (bytes: number): void => setFlagsFromString(`--interrupt-budget=${bytes}`);

/** Resolves after SIGTERM, SIGINT or SIGHUP, when all is closed. Throws what kept a part from starting. */
export async function up(settings: Settings): Promise<void> {
  for (const flag of [heapGrowth, youngAtFirst]) setFlagsFromString(flag);
  setInterruptBudget(interruptBudget.start);
  const stopped = stopSignal();
  const log = createLog(settings.log.level);
  const closers: (() => Promise<void>)[] = [];
  try {
    const metrics = createMetrics();
    const store = await openStore({ kind: 'embedded', dir: resolve(settings.data_dir) });
    closers.push(() => store.close());

    const apiLog = log.child({ component: 'api' });
    const authenticator = authenticatorOf(settings, apiLog);
    const api = createApi({
      store,
      log: apiLog,
      authenticator,
      listen: parseListen(settings.listen) ?? bug('the configuration was not checked'),
      allowRemoteWithoutAuth: settings.allow_remote_without_auth,
      strictPairs: settings.address_pairs.strict,
      mtu: settings.network.mtu,
      quotas: settings.quota,
      metrics: () => metrics.metrics(),
    });
    closers.push(() => api.close());
    const notifier = notifierOf(settings, store, log.child({ component: 'nova' }));
    if (notifier !== null) {
      registerNovaMetrics(metrics, () => notifier.status);
      closers.push(() => notifier.stop());
      notifier.start();
    }
    await api.listen();

    const agent = new Agent({
      store,
      log: log.child({ component: 'agent' }),
      host: settings.host,
      availabilityZone: settings.availability_zone,
      ovsdb: settings.ovsdb,
      openflow: settings.openflow,
      // ovs-vswitchd puts its control socket where ovsdb-server puts its own.
      rundir: settings.ovsdb.startsWith('unix:') ? dirname(settings.ovsdb.slice('unix:'.length)) : null,
      bridge: settings.bridge,
      datapathType: settings.datapath_type,
      hitsInterval: settings.hits.interval * 1000,
      maxPerNetwork: settings.conntrack.max_per_network,
    });
    registerAgentMetrics(
      metrics,
      () => agent.status,
      () => agent.datapathStats(),
      () => agent.conntrackFullness(),
    );
    closers.push(() => agent.stop());
    await agent.start();
    const met = agent.firstApplied.then(() => 'met' as const);
    // Not held alive by it: a process that is told to end in its first seconds ends at once.
    const late = delay(switchPatience, 'late' as const, { ref: false });
    const first = await Promise.race([met, late, stopped]);
    setInterruptBudget(interruptBudget.usual);
    if (first !== 'signal') {
      if (first === 'late')
        log.warn({ ovsdb: settings.ovsdb }, 'no switch answers yet; the agent keeps trying');
      process.stdout.write(`portcullis ready: ${api.address}\n`);
      log.info({ version: version(), address: api.address, host: settings.host }, 'ready');
      await stopped;
    }
    log.info('stopping; flows stay in the switch');
  } finally {
    const force = setTimeout(() => {
      log.error('could not stop in time');
      process.exit(1);
    }, stopPatience);
    for (const close of closers.reverse()) {
      await close().catch((error: unknown) => log.error({ reason: reasonOf(error) }, 'a part did not close'));
    }
    clearTimeout(force);
  }
}

function stopSignal(): Promise<'signal'> {
  return new Promise((done) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => done('signal'));
  });
}
