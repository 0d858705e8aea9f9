/**
 * How long `GET /v1/sync` takes with 100 simulated agents: each follows the target and writes what it has reached, as an
 * agent does, with no switch behind it. One server and all agents are in this process, on the memory store and on the
 * embedded one. Hosts' switches add their own time (`scale.one_more_member`).
 */
import { pino } from 'pino';
import { createApi } from '../src/api/server.ts';
import { startSyncingAgent } from '../src/api/testing/answering-agent.ts';
import { livingHost } from '../src/api/testing/hosts.ts';
import type { Store } from '../src/store/contract.ts';
import { EmbeddedStore } from '../src/store/embedded.ts';
import { MemoryStore } from '../src/store/memory.ts';
import { makeDataDirectory } from './controller.ts';
import type { SectionOptions } from './machine.ts';
import { emit, quantile, round } from './report.ts';

const agentCount = 100;

export async function benchSync({ quick }: SectionOptions): Promise<void> {
  await measure('memory', new MemoryStore(), quick ? 5 : 200);
  await using directory = await makeDataDirectory();
  await measure('embedded', await EmbeddedStore.open(directory.path), quick ? 5 : 200);
}

async function measure(kind: string, store: Store, count: number): Promise<void> {
  const api = createApi({
    store,
    log: pino({ level: 'silent' }),
    listen: { host: '127.0.0.1', port: 0 },
  });
  await api.ready();
  const hosts = Array.from({ length: agentCount }, (_, at) => `host-${at}`);
  for (const host of hosts) await store.txn([], livingHost(host));
  const lease = await store.lease(60_000);
  const stops = hosts.map((host) => startSyncingAgent(store, host, () => 0, lease));
  const times: number[] = [];
  const before = await store.revision();
  for (let turn = 0; turn < count; turn++) {
    const began = performance.now();
    const { statusCode } = await api.app.inject({ url: '/v1/sync', headers: { host: 'localhost' } });
    if (statusCode !== 200) throw new Error(`a sync answered ${statusCode}`);
    times.push(performance.now() - began);
  }
  const writes = ((await store.revision()) - before) / count;
  for (const stop of stops) stop();
  await api.close();
  await store.close();
  const figures = {
    store: kind,
    agents: agentCount,
    p50_ms: round(quantile(times, 0.5)),
    p99_ms: round(quantile(times, 0.99)),
    writes_per_sync: round(writes),
  };
  emit('sync', count, figures, [{ figure: 'p99_ms', atMost: 100 }]);
}
