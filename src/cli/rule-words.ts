/** A security-group rule in a few words. */
export interface RuleTerms {
  readonly direction: string;
  readonly ethertype: string;
  readonly protocol: string | null;
  readonly port_range_min: number | null;
  readonly port_range_max: number | null;
  readonly remote_ip_prefix: string | null;
  readonly remote_group_id: string | null;
  readonly remote_group_name: string | null;
  readonly remote_address_group_id: string | null;
  readonly remote_address_group_name: string | null;
}

/** Neutron's names for ICMP and ICMPv6, whose "ports" are a type and a code. */
const icmp: ReadonlySet<string> = new Set(['icmp', 'icmpv6', 'ipv6-icmp', '1', '58']);

function service({ protocol, port_range_min: min, port_range_max: max }: RuleTerms): string {
  if (protocol === null) return 'anything';
  if (min === null && max === null) return protocol;
  if (icmp.has(protocol)) return `${protocol} type ${min}${max === null ? '' : ` code ${max}`}`;
  return `${protocol} ${min === max ? min : `${min}-${max}`}`;
}

function remote(terms: RuleTerms): string {
  if (terms.remote_group_id !== null) return `group ${terms.remote_group_name ?? terms.remote_group_id}`;
  if (terms.remote_address_group_id !== null)
    return `address group ${terms.remote_address_group_name ?? terms.remote_address_group_id}`;
  return terms.remote_ip_prefix ?? 'anybody';
}

/** `IPv4 tcp 22 from 10.0.0.0/8`. */
export const ruleWords = (terms: RuleTerms): string =>
  `${terms.ethertype} ${service(terms)} ${terms.direction === 'ingress' ? 'from' : 'to'} ${remote(terms)}`;
