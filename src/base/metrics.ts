/** The process's metrics in Prometheus' text form. One registry a process; labels never carry port ids. */
import { collectDefaultMetrics, Registry } from 'prom-client';

/** With what Node tells about the process itself: CPU, memory, event-loop delay, garbage collection. */
export function createMetrics(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}
