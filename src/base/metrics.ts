/** The process's metrics in Prometheus' text form. One registry a process; labels never carry port ids. */
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** Milliseconds between samples of the event loop's delay that never come: each would wake an idle process. */
const never = 0x7fff_ffff;
/** What such samples would be summed up in. */
const sampled = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'] as const;

/** With what Node tells about the process itself: CPU, memory, event loop, garbage collection. */
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
