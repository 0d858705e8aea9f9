/** `portcullis counters`: what was dropped at a port, and why. */
import type { Client } from './client.ts';
import { json, table } from './table.ts';

interface Drop {
  readonly reason: string;
  readonly direction: string;
  readonly protocol?: string;
  readonly packets: number;
  readonly bytes: number;
}

/** The text to print; `reference` is a port's name or id. */
export async function counters(client: Client, reference: string, asJson: boolean): Promise<string> {
  const port = await client.port(reference);
  const answer = await client.get<{ readonly drops: readonly Drop[] }>(`/v1/ports/${port.id}/counters`);
  if (asJson) return json(answer);
  return table(
    [
      { title: 'DIRECTION', value: (drop) => drop.direction },
      { title: 'REASON', value: (drop) => drop.reason },
      { title: 'PROTOCOL', value: (drop) => drop.protocol ?? '-' },
      { title: 'PACKETS', value: (drop) => drop.packets },
      { title: 'BYTES', value: (drop) => drop.bytes },
    ],
    answer.drops,
  );
}
