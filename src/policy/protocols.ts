/**
 * The protocol names that Neutron's rules may use, as IP protocol numbers.
 */
const numbers: ReadonlyMap<string, number> = new Map([
  ['hopopt', 0],
  ['ip', 0],
  ['icmp', 1],
  ['igmp', 2],
  ['ipip', 4],
  ['tcp', 6],
  ['egp', 8],
  ['udp', 17],
  ['dccp', 33],
  ['ipv6-encap', 41],
  ['ipv6-route', 43],
  ['ipv6-frag', 44],
  ['rsvp', 46],
  ['gre', 47],
  ['esp', 50],
  ['ah', 51],
  ['icmpv6', 58],
  ['ipv6-icmp', 58],
  ['ipv6-nonxt', 59],
  ['ipv6-opts', 60],
  ['ospf', 89],
  ['vrrp', 112],
  ['pgm', 113],
  ['sctp', 132],
  ['udplite', 136],
]);

/** The number of a name or of a decimal text 0..255; null for anything else. */
export function protocolNumber(text: string): number | null {
  const named = numbers.get(text.toLowerCase());
  if (named !== undefined) return named;
  return /^(0|[1-9]\d{0,2})$/.test(text) && Number(text) <= 255 ? Number(text) : null;
}
