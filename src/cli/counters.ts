/** `portcullis counters`: drops at a port, or on a host where no port is known, with their reasons. */
import type { Client } from './client.ts';
import { json, table } from './table.ts';

interface Drop {
  readonly reason: string;
  readonly direction: string;
  readonly protocol?: string;
  readonly packets: number;
  readonly bytes: number;
}

interface Answer {
  readonly drops: readonly Drop[];
}

/** Whose drops: a port by name or id, or a host by name. */
export type CountersSubject = { readonly port: string } | { readonly host: string };

async function read(client: Client, subject: CountersSubject): Promise<Answer> {
  if ('host' in subject) return client.get<Answer>(`/v1/hosts/${encodeURIComponent(subject.host)}/counters`);
  const port = await client.port(subject.port);
  return client.get<Answer>(`/v1/ports/${port.id}/counters`);
}

/** The text to print; without `all`, the reasons that have dropped something. */
export async function counters(
  client: Client,
  subject: CountersSubject,
  { all, asJson }: { readonly all: boolean; readonly asJson: boolean },
): Promise<string> {
  const answer = await read(client, subject);
  const drops = answer.drops.filter(({ packets }) => all || packets > 0);
  if (asJson) return json({ ...answer, drops });
  return table(
    [
      { title: 'DIRECTION', value: (drop) => drop.direction },
      { title: 'REASON', value: (drop) => drop.reason },
      { title: 'PROTOCOL', value: (drop) => drop.protocol ?? '-' },
      { title: 'PACKETS', value: (drop) => drop.packets },
      { title: 'BYTES', value: (drop) => drop.bytes },
    ],
    drops,
  );
}
