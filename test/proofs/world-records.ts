/** A world as the records that the store would hold of it, by key. */

import { keys } from '../../src/model/keys.ts';
import { formatCidr, formatIp } from '../../src/net/cidr.ts';
import type { Port, Rule, World } from '../../src/policy/world.ts';
import { portKeyOf } from '../lib/keys.ts';
import { networkRecord, portRecord, ruleRecord, subnetRecord } from '../lib/records.ts';

function portOf(port: Port): object {
  return portRecord({
    id: port.id,
    network: port.network,
    mac: port.mac,
    ips: port.fixedIps.map(({ family, bits }) => formatIp(family, bits)),
    groups: port.groups,
    changes: {
      key: portKeyOf(port),
      admin_state_up: port.adminUp,
      allowed_address_pairs: port.pairs.map(({ mac, ip }) => ({
        ip_address: formatCidr(ip),
        mac_address: mac,
      })),
      port_security_enabled: port.mode !== 'off',
      port_security_mode: port.mode === 'mac-only' ? 'mac-only' : 'strict',
      dhcp_trusted: port.dhcpServer,
      role: port.role,
      qos_policy_id: port.qosPolicy,
      device_owner: port.cloudOwned ? 'network:dhcp' : '',
      'binding:host_id': port.host ?? '',
      ...(port.arrival === undefined
        ? {}
        : {
            inactive_bindings: [
              { host: port.arrival.host, vnic_type: 'normal', profile: {}, made: port.arrival.number },
            ],
          }),
    },
  });
}

function ruleOf({ id, group, direction, family, l4, remote }: Rule): object {
  const [min, max] =
    l4.kind === 'ports' ? [l4.min, l4.max] : l4.kind === 'icmp' ? [l4.type, l4.code] : [null, null];
  return ruleRecord(id, group, direction, {
    ethertype: family === 4 ? 'IPv4' : 'IPv6',
    protocol: l4.kind === 'any' ? null : String(l4.protocol),
    port_range_min: min,
    port_range_max: max,
    remote_ip_prefix: remote.kind === 'prefix' ? formatCidr(remote.prefix) : null,
    remote_group_id: remote.kind === 'group' ? remote.group : null,
    remote_address_group_id: remote.kind === 'addresses' ? remote.group : null,
  });
}

/** The value of each key, as text. */
export function recordsOf(world: World): Map<string, string> {
  const records = new Map<string, string>();
  const put = (key: string, record: object) => records.set(key, JSON.stringify(record));
  for (const {
    id,
    adminUp,
    allowsReservedPairs,
    broadcastsPairs,
    isolated,
    trustsPhysical,
    hairpin,
    qosPolicy,
  } of world.networks.values())
    put(
      keys.network(id),
      networkRecord(id, {
        admin_state_up: adminUp,
        allow_reserved_pairs: allowsReservedPairs,
        ...(isolated ? { isolated } : {}),
        ...(trustsPhysical ? { trusts_physical: true } : {}),
        ...(hairpin ? { hairpin: true } : {}),
        address_pairs_forwarding: broadcastsPairs ? 'broadcast' : 'detect',
        qos_policy_id: qosPolicy,
      }),
    );
  for (const { id, network, cidr, gateway, gatewayMac, dhcp, advertised } of world.subnets.values()) {
    const modes = {
      enable_dhcp: dhcp || advertised,
      ipv6_ra_mode: advertised ? (dhcp ? 'dhcpv6-stateful' : 'slaac') : null,
      ipv6_address_mode: dhcp && cidr.family === 6 ? 'dhcpv6-stateful' : null,
    };
    const gateway_ip = gateway === null ? null : formatIp(gateway.family, gateway.bits);
    put(keys.subnet(network, id), {
      ...subnetRecord(id, network, formatCidr(cidr)),
      gateway_ip,
      ...(gatewayMac === null ? {} : { gateway_mac: gatewayMac }),
      ...modes,
    });
  }
  for (const port of world.ports.values()) {
    put(keys.port(port.network, port.id), portOf(port));
    records.set(keys.portNetwork(port.id), port.network);
    if (port.host !== null) put(keys.binding(port.network, port.id), { host: port.host, status: 'ACTIVE' });
  }
  for (const { id, stateful } of world.groups.values()) put(keys.group(id), { id, name: id, stateful });
  for (const rule of world.rules.values()) put(keys.rule(rule.group, rule.id), ruleOf(rule));
  for (const { id, addresses } of world.addressGroups.values())
    put(keys.addressGroup(id), { id, name: id, addresses: addresses.map(formatCidr) });
  for (const [name, { address, types }] of world.vteps)
    put(keys.bridge(name), {
      bridge: 'br-int',
      datapath_type: 'netdev',
      tunnel_ip: formatIp(address.family, address.bits),
      tunnel_types: types,
    });
  for (const { network, address, port, mac } of world.linkLocals)
    put(keys.linkLocal(network, formatIp(address.family, address.bits)), { port, mac });
  for (const { network, address, port, mac, generation } of world.owners)
    put(keys.owner(network, formatIp(address.family, address.bits)), { port, mac, generation });
  return records;
}
