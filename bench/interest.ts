/**
 * What an agent costs in a large cloud: its memory, and the time from its start to the switch's acknowledgement. The
 * cloud is in etcd. Every network has its project's group, whose members reach each other. Few networks have ports here.
 */
import { keys } from '../src/model/keys.ts';
import { scopeDepth } from '../src/model/scopes.ts';
import { EtcdStore } from '../src/store/etcd/etcd-store.ts';
import { startEtcd } from '../test/lib/etcd.ts';
import { type Switch, startSwitch } from '../test/lib/switch.ts';
import { until } from '../test/lib/wait.ts';
import { nameOf, networksOf } from './cluster/world.ts';
import { bridge, startAgentAlone } from './controller.ts';
import { writeAll } from './groups/records.ts';
import type { SectionOptions } from './machine.ts';
import { memory } from './process-usage.ts';
import { emit, median, progress, round } from './report.ts';

const local = 100;
/** Networks with a port on this host. */
const carried = 20;

/** Ports that are local come from as many networks as are carried. */
const localPorts = Array.from({ length: local }, (_, at) => nameOf(at % carried, Math.floor(at / carried)));

async function plugged(): Promise<Switch> {
  const at = await startSwitch({ dummy: true });
  await at.addBridge(bridge);
  await at.addDummyPorts(
    bridge,
    localPorts.map((id, n) => ({ name: `tap${n}`, externalIds: { 'iface-id': id } })),
  );
  return at;
}

export async function benchInterest({ quick }: SectionOptions): Promise<void> {
  for (const ports of quick ? [10_000] : [10_000, 100_000]) {
    const etcd = await startEtcd();
    const at = await plugged();
    const store = await EtcdStore.open({ addresses: etcd.addresses, depthOf: scopeDepth });
    try {
      for (const writes of networksOf(ports)) await writeAll(store, writes);
      progress(`interest: ${ports} ports are in etcd`);
      const turns = [];
      for (let turn = 0; turn < (quick ? 1 : 3); turn++) {
        await at.ofctl('del-flows', bridge);
        await using agent = startAgentAlone(at, etcd.addresses);
        const started = await agent.said('agent started');
        const equal = await agent.said('switch and pipeline are equal');
        await agent.agentReady();
        const bound = async () => (await store.snapshot([keys.binding.prefix])).entries.length === local;
        await until(bound, { timeout: 60_000, what: 'all local ports are bound' });
        turns.push({
          ...memory(agent.pid),
          fromSpawn: equal.at - agent.spawnedAt,
          fromAgent: equal.at - started.at,
          flows: equal.flows ?? null,
        });
      }
      emit('interest', ports, {
        local_ports: local,
        networks_here: carried,
        rss_mb: round(median(turns.map(({ now }) => now))),
        rss_peak_mb: round(median(turns.map(({ peak }) => peak))),
        spawn_to_switch_s: round(median(turns.map(({ fromSpawn }) => fromSpawn / 1000))),
        agent_to_switch_s: round(median(turns.map(({ fromAgent }) => fromAgent / 1000))),
        flows: turns[0]?.flows ?? null,
      });
    } finally {
      await store.close();
      await at.stop();
      await etcd.stop();
    }
  }
}
