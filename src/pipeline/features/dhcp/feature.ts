/**
 * The built-in DHCP server's part in the switch: recognises what its clients ask and takes that to the agent, which answers
 * (`agent/punts/dhcp4.ts`). A network with a port that is trusted to serve is that port's: no flow is made there.
 * A request counts only from the port's own MAC, so a guest that bridges others asks for itself alone.
 */
import { broadcast4, formatCidr } from '../../../net/cidr.ts';
import { macToBits } from '../../../net/mac.ts';
import type { Subnet } from '../../../policy/world.ts';
import { noAbilities } from '../../abilities.ts';
import { punt } from '../../actions.ts';
import { type Draft, flow } from '../../draft.ts';
import type { Feature } from '../../feature.ts';
import { isGuarded, type LocalPort, sentBy } from '../../local-port.ts';
import { address, dhcp } from '../../matches.ts';
import { after } from '../../positions.ts';
import { writePuntData } from '../../punt-data.ts';
import { register } from '../../registers.ts';
import { sharedMeterOf } from '../../shared-meters.ts';
import { serverAddress } from './relations.ts';

function requests(local: LocalPort, subnets: readonly Subnet[], meter: number): Draft[] {
  const userdata = writePuntData({ kind: 'dhcp4', ...local });
  const from = {
    ...dhcp.client4,
    ...sentBy(local),
    eth_src: macToBits(local.port.mac),
    // The guards have marked it, so that no other packet is looked at that far. Unguarded ports meet no guard.
    ...(isGuarded(local) ? { [register.dhcp]: 1 } : {}),
  };
  // Requests are broadcasts until a client knows its server, and unicasts when it renews.
  const targets = [broadcast4, ...subnets.map(serverAddress)];
  const distinct = new Map(targets.map((target) => [formatCidr(target), target]));
  return [...distinct.values()].map((target) =>
    flow(
      'dhcp',
      'request',
      { ...from, ip_dst: address(target) },
      { actions: [punt(userdata, meter)] },
      { reason: 'dhcp-request', port: local.port.id },
    ),
  );
}

export const dhcpService: Feature = {
  defaults: [flow('dhcp', 'none', {}, { goto: after('dhcp') }, { reason: 'no-dhcp-request' })],

  declare: ({ graph, facts, relations: { served, locals }, install }) =>
    install(
      graph.map('dhcp-flows', served, (id, subnets, read) => {
        const local = read(locals, id);
        const { meterSpread } = read(facts.abilities, 'switch') ?? noAbilities;
        const meter = local && sharedMeterOf('dhcp', local.key, meterSpread);
        // Without a meter a guest could flood the agent with packets, so then nothing is punted.
        return local === undefined || meter === undefined || meter === null
          ? undefined
          : requests(local, subnets, meter);
      }),
    ),
};
