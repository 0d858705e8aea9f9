/** `portcullis hosts`: the hypervisors in the store, and whether they are live. */
import type { Client } from './client.ts';
import { json, table } from './table.ts';

interface Host {
  readonly name: string;
  readonly live: boolean;
  /** UTC text of the last heartbeat. */
  readonly heartbeat: string;
}

export async function hosts(client: Client, asJson: boolean): Promise<string> {
  const answer = await client.get<{ readonly hosts: readonly Host[] }>('/v1/hosts');
  if (asJson) return json(answer);
  return table(
    [
      { title: 'HOST', value: (host) => host.name },
      { title: 'STATE', value: (host) => (host.live ? 'live' : 'silent') },
      { title: 'LAST HEARD', value: (host) => host.heartbeat },
    ],
    answer.hosts,
  );
}
