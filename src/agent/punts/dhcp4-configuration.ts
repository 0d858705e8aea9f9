/**
 * What an answer of the built-in DHCPv4 server says beside the address: the subnet's and network's configuration, and the
 * port's `extra_dhcp_opts`, which win. A client gets what it asks for (option 55); netmask, broadcast address and MTU always.
 */
import type { DhcpOption } from '../../model/records.ts';
import { cidr, lastOf, maskOf, parseIp } from '../../net/cidr.ts';
import { dhcpOptions as codes, type Dhcp, emptyDhcp, dhcpTypes as types } from '../../net/packet/dhcp.ts';
import { addressBytes, type DhcpValue, dhcpValue, routeBytes } from '../../net/packet/dhcp-values.ts';
import type { DhcpSubnet } from '../../pipeline/features/dhcp/facts.ts';
import { serverAddress } from '../../pipeline/features/dhcp/relations.ts';
import type { Port, Subnet } from '../../policy/world.ts';
import type { PuntView } from './handler.ts';

export interface DhcpSettings {
  /** Seconds. */
  readonly leaseTime: number;
  /** For guests without one of their own; empty: none. */
  readonly domain: string;
}

export const defaultDhcpSettings: DhcpSettings = { leaseTime: 86_400, domain: '' };

type Configuration = Pick<Dhcp, 'options' | 'siaddr' | 'file'>;

const u32 = (value: number): Buffer => {
  const data = Buffer.alloc(4);
  data.writeUInt32BE(value);
  return data;
};
const u16 = (value: number): Buffer => u32(value).subarray(2);

const alwaysSent: ReadonlySet<number> = new Set([codes.netmask, codes.broadcast, codes.mtu]);

/** The parts of a port's extra options that are no options: next server and boot file in the header. */
function extras(options: readonly DhcpOption[], isIpxe: boolean) {
  const values = new Map<number, Buffer>();
  let siaddr = emptyDhcp.siaddr;
  for (const { opt_name, opt_value, ip_version } of options) {
    if (ip_version !== 4) continue;
    // As Ironic writes them for dnsmasq: `tag:ipxe,67` is for clients that are iPXE already.
    const [, tag, name = ''] = /^(?:tag:(!?ipxe),)?(.*)$/.exec(opt_name) ?? [];
    if (tag !== undefined && (tag === 'ipxe') !== isIpxe) continue;
    if (name === 'server-ip-address' || name === '255') {
      const next = parseIp(opt_value);
      if (next?.family === 4) siaddr = next;
      continue;
    }
    const value: DhcpValue | null = dhcpValue(name, opt_value);
    if (value !== null) values.set(value.code, value.data);
  }
  return { values, siaddr };
}

const saysIpxe = ({ options }: Dhcp): boolean =>
  options.some(
    ({ code, data }) =>
      code === codes.ipxe || (code === codes.userClass && data.toString('latin1').includes('iPXE')),
  );

export function configurationOf(
  request: Dhcp,
  type: number,
  subnet: Subnet,
  port: Port,
  { facts }: PuntView,
  { leaseTime, domain }: DhcpSettings,
): Configuration {
  const own = [
    { code: codes.type, data: Buffer.from([type]) },
    { code: codes.server, data: addressBytes(serverAddress(subnet)) },
  ];
  if (type === types.nak) return { ...emptyDhcp, options: own };
  const isInform = request.options.some(({ code, data }) => code === codes.type && data[0] === types.inform);
  const times = isInform
    ? []
    : [
        { code: codes.leaseTime, data: u32(leaseTime) },
        { code: codes.renewalTime, data: u32(Math.floor(leaseTime / 2)) },
        { code: codes.rebindingTime, data: u32(Math.floor((leaseTime * 7) / 8)) },
      ];
  const { values: extra, siaddr } = extras(facts.dhcpOptions.get(port.id) ?? [], saysIpxe(request));
  const values = new Map([
    ...usual(subnet, facts.networks.get(port.network)?.mtu, domain, facts.dhcpSubnets.get(subnet.id)),
    ...extra,
  ]);
  const asked = request.options.find(({ code }) => code === codes.requested)?.data;
  const options = [...values]
    // An empty value says that the port is to have no such option.
    .filter(
      ([code, data]) =>
        data.length > 0 && (asked === undefined || alwaysSent.has(code) || asked.includes(code)),
    )
    .map(([code, data]) => ({ code, data }));
  const file = extra.get(codes.bootFile)?.toString('latin1') ?? '';
  return { siaddr, file, options: [...own, ...times, ...options] };
}

function usual(
  { cidr: prefix, gateway }: Subnet,
  mtu: number | undefined,
  domain: string,
  subnet: DhcpSubnet | undefined,
): [number, Buffer][] {
  const { dnsServers = [], routes = [] } = subnet ?? {};
  const everywhere = cidr(4, 0n, 0);
  // A client that gets routes ignores the router (RFC 3442), so the default route is among them.
  const all =
    routes.length > 0 && gateway !== null
      ? [...routes, { destination: everywhere, nexthop: gateway }]
      : routes;
  return [
    [codes.netmask, addressBytes(cidr(4, maskOf(4, prefix.length)))],
    [codes.broadcast, prefix.length < 31 ? addressBytes(cidr(4, lastOf(prefix))) : Buffer.alloc(0)],
    [codes.router, gateway === null ? Buffer.alloc(0) : addressBytes(gateway)],
    [codes.dnsServer, addressBytes(...dnsServers)],
    [codes.domain, Buffer.from(domain)],
    [codes.mtu, mtu === undefined ? Buffer.alloc(0) : u16(mtu)],
    [codes.staticRoutes, routeBytes(all)],
  ];
}
