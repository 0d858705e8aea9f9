/** IP protocols by the names that Neutron's rules use (IANA's numbers). */
export const protocolNumbers: Readonly<Record<string, number>> = {
  ah: 51,
  dccp: 33,
  egp: 8,
  esp: 50,
  gre: 47,
  hopopt: 0,
  icmp: 1,
  icmpv6: 58,
  igmp: 2,
  ip: 0,
  ipip: 4,
  'ipv6-encap': 41,
  'ipv6-frag': 44,
  'ipv6-icmp': 58,
  'ipv6-nonxt': 59,
  'ipv6-opts': 60,
  'ipv6-route': 43,
  ospf: 89,
  pgm: 113,
  rsvp: 46,
  sctp: 132,
  tcp: 6,
  udp: 17,
  udplite: 136,
  vrrp: 112,
};

/** Protocols that Neutron has under IPv6 only, by whichever name or number. */
export const ipv6OnlyNumbers: ReadonlySet<number> = new Set([41, 43, 44, 58, 59, 60]);

/** The number of a protocol's name, in any case, or of a decimal text 0 to 255; null for anything else. */
export function protocolNumber(protocol: string | null): number | null {
  if (protocol === null) return null;
  const name = protocol.toLowerCase();
  if (Object.hasOwn(protocolNumbers, name)) return protocolNumbers[name] ?? null;
  return /^(0|[1-9]\d{0,2})$/.test(name) && Number(name) <= 255 ? Number(name) : null;
}

/** A name of the protocol that rules take; the number as text where it has none. */
export function protocolName(number: number): string {
  const named = Object.entries(protocolNumbers).find(([, value]) => value === number);
  return named?.[0] ?? String(number);
}
