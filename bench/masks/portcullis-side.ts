/** The attack's guests on `portcullis up`. */
import type { Cidr } from '../../src/net/cidr.ts';
import { ip, mac } from '../../test/lib/frames.ts';
import { startSwitch } from '../../test/lib/switch.ts';
import { until } from '../../test/lib/wait.ts';
import { bridge, makeDataDirectory, startController } from '../controller.ts';
import { HttpConnection } from '../http-connection.ts';
import { createNetwork, createPorts, type Port } from '../world.ts';
import { type NastyRule, nastyOf, type Range } from './nasty.ts';
import { type Plugged, plug, type Role, roles, type WithSide } from './side.ts';

const ranged = ({ min, max }: Range) => ({ port_range_min: min, port_range_max: max });

function attributesOf(rule: NastyRule, group: string, addressGroup: string) {
  switch (rule.kind) {
    case 'ports':
      return { protocol: rule.protocol, ...ranged(rule.ports) };
    case 'icmp':
      return {
        protocol: 'icmp',
        port_range_min: rule.type,
        ...(rule.code === null ? {} : { port_range_max: rule.code }),
      };
    case 'own-group':
      return { remote_group_id: group };
    case 'address-group':
      return { protocol: rule.protocol, ...ranged(rule.ports), remote_address_group_id: addressGroup };
    case 'prefix':
      return { protocol: rule.protocol, ...ranged(rule.ports), remote_ip_prefix: rule.prefix };
  }
}

async function writeNasty(api: HttpConnection, attacker: Port, victim: Port): Promise<void> {
  const nasty = nastyOf(addressOf(attacker), addressOf(victim));
  const { security_group } = await api.json<{ security_group: { id: string } }>(
    'POST',
    '/v2.0/security-groups',
    { security_group: { name: 'nasty' } },
  );
  const { address_group } = await api.json<{ address_group: { id: string } }>(
    'POST',
    '/v2.0/address-groups',
    {
      address_group: { name: 'nasty', addresses: nasty.addressGroup },
    },
  );
  const rules = (['ingress', 'egress'] as const).flatMap((direction) =>
    nasty.rules.map((rule) => ({
      security_group_id: security_group.id,
      ethertype: 'IPv4',
      direction,
      ...attributesOf(rule, security_group.id, address_group.id),
    })),
  );
  await api.json('POST', '/v2.0/security-group-rules', { security_group_rules: rules });
  const security_groups = [security_group.id];
  const allowed_address_pairs = nasty.pairs.map((ip_address) => ({ ip_address }));
  await api.json('PUT', `/v2.0/ports/${attacker.id}`, { port: { security_groups, allowed_address_pairs } });
  await api.json('PUT', `/v2.0/ports/${victim.id}`, { port: { security_groups } });
  await api.json('GET', '/v1/sync?timeout=60');
}

const addressOf = (port: Port): Cidr => ip(port.fixed_ips[0]?.ip_address ?? '');

export const withPortcullis: WithSide = async (use) => {
  await using at = await startSwitch();
  await at.addBridge(bridge);
  await using data = await makeDataDirectory();
  await using controller = startController(at, data);
  const endpoint = await controller.ready();
  const api = await HttpConnection.open(endpoint);
  const network = await createNetwork(api, 1);
  const ports = await createPorts(api, network, roles.length, () => ({}));
  const portOf = (role: Role): Port => {
    const port = ports[roles.indexOf(role)];
    if (port === undefined) throw new Error(`no port was made for the ${role}`);
    return port;
  };
  const plugRole = (role: Role): Promise<Plugged> => {
    const port = portOf(role);
    return plug(at, port.id, mac(port.mac_address), addressOf(port));
  };
  await using attacker = await plugRole('attacker');
  await using victim = await plugRole('victim');
  await using server = await plugRole('server');
  await using client = await plugRole('client');
  const active = async () =>
    (await api.json<{ ports: unknown[] }>('GET', '/v2.0/ports?status=ACTIVE')).ports.length;
  await until(async () => (await active()) === roles.length, { what: 'all ports are ACTIVE' });
  await api.json('GET', '/v1/sync?timeout=60');
  api.close();
  await use({
    peer: 'portcullis',
    at,
    guests: { attacker, victim, server, client },
    // A new connection, because the server has closed the first one: an attack takes minutes.
    makeNasty: async () => {
      const api = await HttpConnection.open(endpoint);
      await writeNasty(api, portOf('attacker'), portOf('victim'));
      api.close();
    },
  });
};
