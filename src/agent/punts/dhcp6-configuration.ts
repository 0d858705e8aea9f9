/**
 * What an answer of the built-in DHCPv6 server says beside addresses: the DNS servers of the port's subnets, the domain, and
 * the port's `extra_dhcp_opts` of IP version 6, which win. A client that lists what it wants gets only that.
 */
import { type Cidr, parseIp } from '../../net/cidr.ts';
import { domainBytes } from '../../net/packet/dhcp-values.ts';
import { dhcp6Options as codes, type Dhcp6, type Dhcp6Option } from '../../net/packet/dhcp6.ts';
import type { Port, Subnet } from '../../policy/world.ts';
import type { DhcpSettings } from './dhcp4-configuration.ts';
import type { PuntView } from './handler.ts';

/** The names of dnsmasq. */
const names: Readonly<Record<string, number>> = {
  'dns-server': codes.dnsServers,
  'domain-search': codes.domains,
  'sntp-server': codes.sntpServers,
  'ntp-server': codes.ntpServer,
  'bootfile-url': codes.bootFileUrl,
};
/** Those that the protocol itself fills: 1 to 22 of RFC 8415, but for what has a meaning for people. */
const highestOfProtocol = 22;

function addressBytes(addresses: readonly Cidr[]): Buffer {
  return Buffer.concat(addresses.map(({ bits }) => Buffer.from(bits.toString(16).padStart(32, '0'), 'hex')));
}

function addressesOf(value: string): Cidr[] | null {
  const found = value.split(',').map((part) => parseIp(part.trim().replaceAll(/[[\]]/g, '')));
  const known = found.filter((ip): ip is Cidr => ip?.family === 6);
  return known.length === found.length ? known : null;
}

/** RFC 5908 4: each server is a suboption of its own. */
function ntpBytes(addresses: readonly Cidr[]): Buffer {
  return Buffer.concat(
    addresses.map((ip) => Buffer.concat([Buffer.from([0, 1, 0, 16]), addressBytes([ip])])),
  );
}

function valueOf(code: number, value: string): Buffer | null {
  const addresses = addressesOf(value);
  if (code === codes.ntpServer) return addresses && ntpBytes(addresses);
  if (code === codes.dnsServers || code === codes.sntpServers) return addresses && addressBytes(addresses);
  if (code === codes.domains) {
    const domains = value.split(',').map((part) => domainBytes(part.trim()));
    const known = domains.filter((domain) => domain !== null);
    return known.length === domains.length ? Buffer.concat(known) : null;
  }
  if (addresses !== null) return addressBytes(addresses);
  return /^[\da-f]{1,2}(?::[\da-f]{1,2})+$/i.test(value)
    ? Buffer.from(value.split(':').map((part) => Number.parseInt(part, 16)))
    : Buffer.from(value);
}

export function configurationOf6(
  request: Dhcp6,
  subnets: readonly Subnet[],
  port: Port,
  { facts }: PuntView,
  { domain }: DhcpSettings,
): Dhcp6Option[] {
  const servers = subnets.flatMap(({ id }) => facts.dhcpSubnets.get(id)?.dnsServers ?? []);
  const values = new Map<number, Buffer>();
  const distinct = [...new Map(servers.map((server) => [server.bits, server])).values()];
  if (distinct.length > 0) values.set(codes.dnsServers, addressBytes(distinct));
  const suffix = domain === '' ? null : domainBytes(domain);
  if (suffix !== null) values.set(codes.domains, suffix);
  for (const { opt_name: name, opt_value: text, ip_version: version } of facts.dhcpOptions.get(port.id) ??
    []) {
    const code = names[name] ?? (/^\d{1,5}$/.test(name) ? Number(name) : 0);
    const value = version === 6 && code > highestOfProtocol && code < 2 ** 16 ? valueOf(code, text) : null;
    if (value !== null) values.set(code, value);
  }
  const asked = request.options.find(({ code }) => code === codes.requested)?.data;
  const isAsked = (code: number): boolean => {
    if (asked === undefined) return true;
    for (let at = 0; at + 1 < asked.length; at += 2) if (asked.readUInt16BE(at) === code) return true;
    return false;
  };
  return [...values].filter(([code]) => isAsked(code)).map(([code, data]) => ({ code, data }));
}
