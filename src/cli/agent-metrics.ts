/** The agent's metrics, read for each request of the metrics page. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { AgentStatus } from '../agent/agent.ts';
import type { Fullness } from '../agent/switch/conntrack-table.ts';
import { driftKinds } from '../agent/switch/drift.ts';
import type { DatapathStats } from '../ovsdb/index.ts';

export function registerAgentMetrics(
  registry: Registry,
  status: () => AgentStatus,
  datapath: () => Promise<DatapathStats | null>,
  conntrack: () => Promise<Fullness | null>,
): void {
  registerDatapathMetrics(registry, datapath);
  registerConntrackMetrics(registry, conntrack);
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
  driftCounter(registry, status);
  gauge('portcullis_installed_flows', 'Flows on the switch.', (now) => now.installedFlows);
  gauge('portcullis_local_ports', 'Ports that this host holds.', (now) => now.localPorts);
  counter('portcullis_rounds_total', 'Rounds that brought the switch up to date.', (now) => now.rounds);
  counter('portcullis_flows_changed_total', 'Flows added or removed.', (now) => now.flowsChanged);
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
  counter('portcullis_round_failures_total', 'Rounds that failed and were repeated.', (now) => now.failures);
}

/** For the agent's `drift`: one series a kind. */
const driftCounter = (registry: Registry, status: () => AgentStatus): Counter =>
  new Counter({
    name: 'portcullis_drift_total',
    help: 'Changes of other programs on the switch that the agent corrected, by kind.',
    labelNames: ['kind'],
    registers: [registry],
    collect() {
      this.reset();
      const { drift } = status();
      for (const kind of driftKinds) this.inc({ kind }, drift[kind]);
    },
  });

/** Absent while the figures are unknown. */
function registerConntrackMetrics(registry: Registry, conntrack: () => Promise<Fullness | null>): void {
  const gauge = (name: string, help: string, value: (now: Fullness) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const now = await conntrack();
        if (now === null) this.remove();
        else this.set(value(now));
      },
    });
  gauge('portcullis_connections', 'Connections that the datapath tracks.', (now) => now.connections);
  gauge('portcullis_connections_max', 'Connections that the datapath can track.', (now) => now.max);
}

/** Absent while the figures are unknown. */
function registerDatapathMetrics(registry: Registry, datapath: () => Promise<DatapathStats | null>): void {
  let reading: Promise<DatapathStats | null> | null = null;
  // One reading serves all series of a page.
  const read = () => {
    reading ??= datapath().finally(() => {
      reading = null;
    });
    return reading;
  };
  const gauge = (name: string, help: string, value: (stats: DatapathStats) => number | null) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const stats = await read();
        const known = stats === null ? null : value(stats);
        if (known === null) this.remove();
        else this.set(known);
      },
    });
  const counter = (name: string, help: string, value: (stats: DatapathStats) => number) =>
    new Counter({
      name,
      help,
      registers: [registry],
      async collect() {
        const stats = await read();
        this.reset();
        if (stats !== null) this.inc(value(stats));
      },
    });
  gauge('portcullis_datapath_megaflows', 'Megaflows of the datapath.', (now) => now.megaflows);
  gauge(
    'portcullis_datapath_masks',
    'Masks of megaflows: all of the kernel datapath, or the most of one port of the userspace datapath.',
    (now) => now.masks,
  );
  counter(
    'portcullis_datapath_lookups_total',
    'Packets that were looked up among the megaflows.',
    (now) => now.lookups,
  );
  counter(
    'portcullis_datapath_masks_tried_total',
    'Masks tried for them. Divided by the lookups it is the cost of a packet.',
    (now) => now.tried,
  );
}
