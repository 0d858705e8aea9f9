/** The process's metrics in Prometheus' text form. One registry a process; labels never carry port ids. */
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/**
 * Milliseconds between samples of the event loop's delay. So long that none is taken: each would wake an idle
 * process.
 */
const never = 0x7fff_ffff;
/** The summaries that Node's default metrics make of such samples. */
const sampled = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'] as const;

/** Includes what Node reports about the process: CPU, memory, event loop, garbage collection. */
export function createMetrics(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: never });
  for (const name of sampled) registry.removeSingleMetric(`nodejs_eventloop_lag_${name}_seconds`);
  let last: EventLoopUtilization | undefined;
  registry.registerMetric(
    new Gauge({
      name: 'nodejs_eventloop_utilization',
      help: 'Share of the time since the last reading in which the event loop was busy.',
      registers: [],
      collect() {
        const now = performance.eventLoopUtilization();
        this.set(performance.eventLoopUtilization(now, last).utilization);
        last = now;
      },
    }),
  );
  return registry;
}
