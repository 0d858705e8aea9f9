/** The worst security group that a tenant may write: prefixes and port ranges of every length. */
import { type Cidr, formatCidr } from '../../src/net/cidr.ts';
import { siblings } from '../../test/lib/attack.ts';
import type { HttpConnection } from '../http-connection.ts';

const range = (from: number, to: number, by = 1): number[] =>
  Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, at) => from + at * by);

/** Address groups take prefixes only. */
const withLength = (prefix: Cidr): string =>
  formatCidr(prefix).includes('/') ? formatCidr(prefix) : `${formatCidr(prefix)}/${prefix.length}`;

/** Pairs of every length around an address. */
export const nastyPairs = (own: Cidr): string[] => [
  '10.0.0.0/8',
  ...siblings(own, range(12, 30, 3)).map(formatCidr),
];

/** A group with prefixes and port ranges of every length, so that no packet is decided early. */
export async function nastyGroup(api: HttpConnection, peers: readonly Cidr[]): Promise<string> {
  const { security_group } = await api.json<{ security_group: { id: string } }>(
    'POST',
    '/v2.0/security-groups',
    {
      security_group: { name: 'nasty' },
    },
  );
  const prefixes = peers.flatMap((peer) => siblings(peer, range(1, 32)).map(withLength));
  const { address_group } = await api.json<{ address_group: { id: string } }>(
    'POST',
    '/v2.0/address-groups',
    {
      address_group: { name: 'nasty', addresses: [...new Set(prefixes)] },
    },
  );
  const base = { security_group_id: security_group.id, ethertype: 'IPv4' };
  const every = { port_range_min: 1, port_range_max: 65534 };
  const rules = (['ingress', 'egress'] as const).flatMap((direction) => [
    ...['tcp', 'udp'].map((protocol) => ({ ...base, direction, protocol, ...every })),
    ...[0, 3, 8, 17, 40, 128, 200].map((type) => ({
      ...base,
      direction,
      protocol: 'icmp',
      port_range_min: type,
      ...(type % 2 === 0 ? { port_range_max: 3 } : {}),
    })),
    { ...base, direction, remote_group_id: security_group.id },
    { ...base, direction, protocol: 'tcp', ...every, remote_address_group_id: address_group.id },
    ...[...new Set(prefixes)].map((prefix) => ({
      ...base,
      direction,
      protocol: 'udp',
      port_range_min: 100,
      port_range_max: 61000,
      remote_ip_prefix: prefix,
    })),
  ]);
  await api.json('POST', '/v2.0/security-group-rules', { security_group_rules: rules });
  return security_group.id;
}
