/** `portcullis sync`: are all live switches as the store says? */
import type { Client } from './client.ts';
import { isClientFault } from './client.ts';

export interface SyncResult {
  readonly synced: boolean;
  /** Hosts that had not acknowledged when the time was up. */
  readonly late: readonly string[];
}

/** `timeout` in seconds; without it the API's own. */
export async function sync(client: Client, timeout: number | undefined): Promise<SyncResult> {
  try {
    await client.get<unknown>(timeout === undefined ? '/v1/sync' : `/v1/sync?timeout=${timeout}`);
    return { synced: true, late: [] };
  } catch (error) {
    if (!isClientFault(error, 'Refused') || error.data.status !== 504) throw error;
    const { late } = error.data.body as { late?: readonly string[] };
    if (late === undefined) throw error;
    return { synced: false, late };
  }
}
