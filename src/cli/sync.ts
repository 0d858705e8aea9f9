/** `portcullis sync`: waits until all live switches equal the store. */
import type { Client } from './client.ts';
import { isClientFault } from './client.ts';

export interface SyncResult {
  readonly synced: boolean;
  /** Hosts that had not acknowledged when the time was up. */
  readonly late: readonly string[];
  /** Connections cut since the last sync, because rules no longer allow them. */
  readonly cut: number;
}

export function syncText({ synced, late, cut }: SyncResult): string {
  if (!synced) return `late: ${late.join(', ')}\n`;
  return cut === 0 ? 'in sync\n' : `in sync, ${cut} ${cut === 1 ? 'connection' : 'connections'} cut\n`;
}

/** `timeout` in seconds; without it the API's own. */
export async function sync(client: Client, timeout: number | undefined): Promise<SyncResult> {
  try {
    const path = timeout === undefined ? '/v1/sync' : `/v1/sync?timeout=${timeout}`;
    const { cut = 0 } = await client.get<{ readonly cut?: number }>(path);
    return { synced: true, late: [], cut };
  } catch (error) {
    if (!isClientFault(error, 'Refused') || error.data.status !== 504) throw error;
    const { late } = error.data.body as { late?: readonly string[] };
    if (late === undefined) throw error;
    return { synced: false, late, cut: 0 };
  }
}
