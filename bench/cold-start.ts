/** A cold controller on an empty switch: `portcullis up` on a filled store. Times come from its log. */
import type { Switch } from '../test/lib/switch.ts';
import { bridge, type DataDirectory, startController } from './controller.ts';
import { HttpConnection } from './http-connection.ts';
import { cpuSeconds, memory } from './process-usage.ts';

export interface Cold {
  /** Milliseconds to the acknowledgement of the first round. */
  readonly fromSpawn: number;
  readonly fromAgent: number;
  /** Seconds. */
  readonly cpu: number;
  /** Megabytes. */
  readonly peak: number;
  readonly flows: number;
  /** Equal to `flows` when the acknowledgement of the first round was that of the last flow. */
  readonly flowsInFirstRound: number;
}

/** `local`: plugged ports that must be ACTIVE in the end. */
export async function coldStart(at: Switch, data: DataDirectory, local: number): Promise<Cold> {
  await at.ofctl('del-flows', bridge);
  await at.ofctl('del-meters', bridge);
  await using controller = startController(at, data);
  const endpoint = await controller.ready();
  const start = await controller.said('agent started');
  const equal = await controller.said('switch and pipeline are equal');
  const cpu = cpuSeconds(controller.pid);
  const { peak } = memory(controller.pid);
  const api = await HttpConnection.open(endpoint);
  await api.json('GET', '/v1/sync?timeout=60');
  const { ports } = await api.json<{ ports: unknown[] }>('GET', '/v2.0/ports?status=ACTIVE');
  if (ports.length !== local) throw new Error(`${ports.length} ports are ACTIVE, not ${local}`);
  api.close();
  return {
    fromSpawn: equal.at - controller.spawnedAt,
    fromAgent: equal.at - start.at,
    cpu,
    peak,
    flows: Number(/flow_count=(\d+)/.exec(await at.ofctl('dump-aggregate', bridge))?.[1]),
    flowsInFirstRound: equal.flows ?? Number.NaN,
  };
}
