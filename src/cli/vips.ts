/** `portcullis vips`: the addresses that several ports may have, and who holds each. */
import type { Client } from './client.ts';
import { json, table } from './table.ts';

interface Vip {
  readonly network_id: string;
  readonly address: string;
  readonly owner: string | null;
  readonly owner_name: string | null;
  readonly host: string | null;
  readonly mac_address: string | null;
  /** UTC text. */
  readonly since: string | null;
  readonly how: string | null;
  readonly changes: number;
  readonly candidates: readonly { readonly id: string; readonly name: string }[];
}

export async function vips(client: Client, network: string | undefined, asJson: boolean): Promise<string> {
  const query = network === undefined ? '' : `?network=${encodeURIComponent(network)}`;
  const answer = await client.get<{ readonly vips: readonly Vip[] }>(`/v1/vips${query}`);
  return asJson ? json(answer) : vipsTable(answer.vips);
}

const named = ({ id, name }: { readonly id: string; readonly name: string | null }): string => name || id;

export const vipsTable = (vips: readonly Vip[]): string =>
  table(
    [
      { title: 'ADDRESS', value: (vip) => vip.address },
      {
        title: 'OWNER',
        value: (vip) => (vip.owner === null ? '-' : named({ id: vip.owner, name: vip.owner_name })),
      },
      { title: 'HOST', value: (vip) => vip.host ?? '-' },
      { title: 'MAC', value: (vip) => vip.mac_address ?? '-' },
      { title: 'SINCE', value: (vip) => vip.since ?? '-' },
      { title: 'HOW', value: (vip) => vip.how ?? '-' },
      { title: 'CHANGES', value: (vip) => String(vip.changes) },
      { title: 'CANDIDATES', value: (vip) => vip.candidates.map(named).join(',') || '-' },
      { title: 'NETWORK', value: (vip) => vip.network_id },
    ],
    vips,
  );
