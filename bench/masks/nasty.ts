/**
 * The worst that a tenant may write: rules, an address group and pairs with prefixes of every length and port ranges, so
 * that no packet is decided early. Values only; portcullis-side.ts and ovn-side.ts write them to their controllers.
 */
import { type Cidr, formatCidr } from '../../src/net/cidr.ts';
import { siblings } from '../../test/lib/attack.ts';

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** A rule that exists in both directions. IPv4 only. */
export type NastyRule =
  | { readonly kind: 'ports'; readonly protocol: 'tcp' | 'udp'; readonly ports: Range }
  | { readonly kind: 'icmp'; readonly type: number; readonly code: number | null }
  | { readonly kind: 'own-group' }
  | { readonly kind: 'address-group'; readonly protocol: 'tcp'; readonly ports: Range }
  | { readonly kind: 'prefix'; readonly protocol: 'udp'; readonly ports: Range; readonly prefix: string };

export interface Nasty {
  readonly rules: readonly NastyRule[];
  readonly addressGroup: readonly string[];
  readonly pairs: readonly string[];
}

export const widePair = '10.0.0.0/8';
const numbers = (from: number, to: number, by = 1): number[] =>
  Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, at) => from + at * by);

/** Address groups take prefixes only. */
const withLength = (prefix: Cidr): string =>
  formatCidr(prefix).includes('/') ? formatCidr(prefix) : `${formatCidr(prefix)}/${prefix.length}`;

export function nastyOf(own: Cidr, victim: Cidr): Nasty {
  const addressGroup = [
    ...new Set([own, victim].flatMap((peer) => siblings(peer, numbers(1, 32)).map(withLength))),
  ];
  const ports = { min: 1, max: 65534 };
  return {
    addressGroup,
    pairs: [widePair, ...siblings(own, numbers(12, 30, 3)).map(formatCidr)],
    rules: [
      { kind: 'ports', protocol: 'tcp', ports },
      { kind: 'ports', protocol: 'udp', ports },
      ...[0, 3, 8, 17, 40, 128, 200].map((type) => ({
        kind: 'icmp' as const,
        type,
        code: type % 2 === 0 ? 3 : null,
      })),
      { kind: 'own-group' },
      { kind: 'address-group', protocol: 'tcp', ports },
      ...addressGroup.map((prefix) => ({
        kind: 'prefix' as const,
        protocol: 'udp' as const,
        ports: { min: 100, max: 61000 },
        prefix,
      })),
    ],
  };
}
