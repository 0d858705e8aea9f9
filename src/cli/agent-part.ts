/** The agent's part of a process. Needs no API. */
import { dirname } from 'node:path';
import type { Agent, AgentOptions } from '../agent/agent.ts';
import { bridgeMappingsOf } from '../model/bridge-mappings.ts';
import { tunnelTypesOf, type Vtep, vtepFrom } from '../model/vtep.ts';
import { registerAgentMetrics } from './agent-metrics.ts';
import type { PartContext } from './server-part.ts';
import { version } from './version.ts';

type MakeAgent = (options: AgentOptions) => Agent;

const vtepOf = ({ tunnel_ip, tunnel_types }: PartContext['settings']): Vtep | null =>
  vtepFrom(tunnel_ip, tunnelTypesOf(tunnel_types) ?? []);

/** Resolves with the agent once it runs; the switch may come later. */
export async function startAgent(
  { settings, store, log, metrics, onStop }: PartContext,
  make: MakeAgent,
): Promise<Agent> {
  const { ovsdb } = settings;
  const vtep = vtepOf(settings);
  const agent = make({
    store,
    log: log.child({ component: 'agent' }),
    host: settings.host,
    availabilityZone: settings.availability_zone,
    ovsdb,
    openflow: settings.openflow,
    // ovs-vswitchd puts its control socket where ovsdb-server puts its own.
    rundir: ovsdb.startsWith('unix:') ? dirname(ovsdb.slice('unix:'.length)) : null,
    bridge: settings.bridge,
    datapathType: settings.datapath_type,
    dhcp: { leaseTime: settings.dhcp.lease_time, domain: settings.dhcp.domain },
    hitsInterval: settings.hits.interval * 1000,
    maxPerNetwork: settings.conntrack.max_per_network,
    bridgeMappings: bridgeMappingsOf(settings.bridge_mappings) ?? {},
    version: version(),
    ...(vtep === null ? {} : { vtep }),
  });
  registerAgentMetrics(
    metrics,
    () => agent.status,
    () => agent.datapathStats(),
    () => agent.conntrackFullness(),
  );
  onStop(() => agent.stop());
  await agent.start();
  return agent;
}
