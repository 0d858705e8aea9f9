/** An agent's own figures on the metrics page, read when the page is asked for. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { AgentStatus } from '../agent/agent.ts';

export function registerAgentMetrics(registry: Registry, status: () => AgentStatus): void {
  const gauge = (name: string, help: string, value: (now: AgentStatus) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value(status()));
      },
    });
  const counter = (name: string, help: string, value: (now: AgentStatus) => number) =>
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(value(status()));
      },
    });
  gauge('portcullis_installed_flows', 'Flows on the switch.', (now) => now.installedFlows);
  gauge('portcullis_local_ports', 'Ports that this host holds.', (now) => now.localPorts);
  counter('portcullis_rounds_total', 'Times that the switch was brought up to date.', (now) => now.rounds);
  counter('portcullis_flows_changed_total', 'Flows put or removed.', (now) => now.flowsChanged);
  counter(
    'portcullis_connections_cut_total',
    'Live connections that were cut because rules no longer allow them.',
    (now) => now.connectionsCut,
  );
  counter(
    'portcullis_connection_cutting_seconds_total',
    'Time spent on reading, judging and cutting live connections.',
    (now) => now.cuttingSeconds,
  );
  counter(
    'portcullis_round_failures_total',
    'Rounds that failed and were tried again.',
    (now) => now.failures,
  );
}
