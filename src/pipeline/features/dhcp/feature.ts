/**
 * The built-in DHCP server's part in the switch: recognises what its clients ask and takes that to the agent, which answers
 * (`agent/punts/dhcp4.ts`, `dhcp6.ts`). A network with a port that is trusted to serve is that port's: no flow is made there.
 * A request counts only from the port's own MAC, so a guest that bridges others asks for itself alone.
 */
import type { Relation } from '../../../base/dataflow.ts';
import { broadcast4, dhcpServers6, formatCidr } from '../../../net/cidr.ts';
import { type Mac, macToBits } from '../../../net/mac.ts';
import { icmpv6Types } from '../../../net/packet/icmpv6.ts';
import type { PortId, Subnet } from '../../../policy/world.ts';
import { noAbilities } from '../../abilities.ts';
import { punt, rewrite } from '../../actions.ts';
import { type Draft, flow } from '../../draft.ts';
import type { Feature } from '../../feature.ts';
import { isGuarded, type LocalPort, sentBy } from '../../local-port.ts';
import { address, dhcp, discovery, groupAddress, wholePacket } from '../../matches.ts';
import { after } from '../../positions.ts';
import { writePuntData } from '../../punt-data.ts';
import { register } from '../../registers.ts';
import { sharedMeterOf } from '../../shared-meters.ts';
import { isConfinedRole } from '../isolation/roles.ts';
import { serverAddress } from './relations.ts';

const why = ({ port }: LocalPort) => ({ reason: 'dhcp-request', port: port.id }) as const;

/** The guards have marked DHCP, so that no other packet is looked at that far. Unguarded ports meet no guard. */
const fromOwnMac = (local: LocalPort) => ({
  ...sentBy(local),
  eth_src: macToBits(local.port.mac),
  ...(isGuarded(local) ? { [register.dhcp]: 1 } : {}),
});

function requests4(local: LocalPort, subnets: readonly Subnet[], meter: number): Draft[] {
  const actions = [punt<'dhcp'>(writePuntData({ kind: 'dhcp4', ...local }), meter)];
  // Requests are broadcasts until a client knows its server, and unicasts when it renews.
  const targets = [broadcast4, ...subnets.map(serverAddress)];
  const distinct = new Map(targets.map((target) => [formatCidr(target), target]));
  return [...distinct.values()].map((target) =>
    flow(
      'dhcp',
      'request',
      { ...dhcp.client4, ...fromOwnMac(local), ip_dst: address(target) },
      { actions },
      why(local),
    ),
  );
}

/** The server lets no client speak to it by unicast, so all requests go to the group of servers. */
function requests6(local: LocalPort, meter: number): Draft[] {
  const actions = [punt<'dhcp'>(writePuntData({ kind: 'dhcp6', ...local }), meter)];
  const match = { ...dhcp.client6, ...fromOwnMac(local), ipv6_dst: address(dhcpServers6) };
  return [flow('dhcp', 'request', match, { actions }, why(local))];
}

/** All ICMPv6 has shown its type before. So only what is matched anyway is matched here, and the agent checks the rest. */
function solicitations(local: LocalPort, meter: number): Draft[] {
  const actions = [punt<'dhcp'>(writePuntData({ kind: 'router-solicitation', ...local }), meter)];
  const match = {
    ...discovery,
    ...sentBy(local),
    eth_src: macToBits(local.port.mac),
    icmpv6_type: icmpv6Types.routerSolicitation,
  };
  const reason = 'router-solicitation';
  return [flow('dhcp', 'solicitation', match, { actions }, { reason, port: local.port.id })];
}

/** In an isolated network: what would go to everybody goes to the server. */
function toServer(local: LocalPort, mac: Mac): Draft[] {
  const marked = isGuarded(local) ? { [register.dhcp]: 1 } : {};
  const to = rewrite<'dhcp'>('eth_dst', macToBits(mac));
  return [dhcp.client4, dhcp.client6].map((client) =>
    flow(
      'dhcp',
      'toServer',
      { ...client, ...sentBy(local), ...marked, eth_dst: groupAddress, ip_frag: wholePacket },
      { actions: [to], goto: after('dhcp') },
      { reason: 'to-dhcp-server', port: local.port.id },
    ),
  );
}

export const dhcpService: Feature = {
  defaults: [flow('dhcp', 'none', {}, { goto: after('dhcp') }, { reason: 'no-dhcp-request' })],

  declare: ({
    graph,
    facts,
    relations: { served4, served6, advertisements, locals, dhcpServers },
    install,
  }) => {
    const installFor = (
      name: string,
      served: Relation<PortId, readonly Subnet[]>,
      requests: (local: LocalPort, subnets: readonly Subnet[], meter: number) => Draft[],
    ) =>
      install(
        graph.map(name, served, (id, subnets, read) => {
          const local = read(locals, id);
          const { meterSpread } = read(facts.abilities, 'switch') ?? noAbilities;
          const meter = local && sharedMeterOf('dhcp', local.key, meterSpread);
          // Without a meter a guest could flood the agent with packets, so then nothing is punted.
          return local === undefined || meter === undefined || meter === null
            ? undefined
            : requests(local, subnets, meter);
        }),
      );
    installFor('dhcp4-flows', served4, requests4);
    installFor('dhcp6-flows', served6, (local, _, meter) => requests6(local, meter));
    install(
      graph.map('to-dhcp-server-flows', locals, (_, local, read) => {
        const servers =
          isConfinedRole(local.role) && local.up ? read(dhcpServers, local.port.network) : undefined;
        const [server] = [...(servers?.keys() ?? [])]
          .map((id) => read(facts.ports, id))
          .filter((port) => port !== undefined)
          .filter(({ adminUp, host, role }) => adminUp && host !== null && role.kind === 'promiscuous')
          .sort((a, b) => (a.id < b.id ? -1 : 1));
        return server === undefined ? undefined : toServer(local, server.mac);
      }),
    );
    install(
      graph.map('solicitation-flows', locals, (_, local, read) => {
        const { up, port, key } = local;
        if (!up || port.cloudOwned || read(advertisements, port.network) === undefined) return undefined;
        const { meterSpread } = read(facts.abilities, 'switch') ?? noAbilities;
        const meter = sharedMeterOf('solicitation', key, meterSpread);
        return meter === null ? undefined : solicitations(local, meter);
      }),
    );
  },
};
