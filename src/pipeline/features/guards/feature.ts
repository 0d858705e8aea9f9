/** Which addresses the sending port may claim. */
import type { Feature } from '../../feature.ts';
import { isGuarded } from '../../local-port.ts';
import { writePuntData } from '../../punt-data.ts';
import { sharedMeterOf } from '../../shared-meters.ts';
import { dhcpServerGuard, dhcpServerPieces } from './dhcp-server-guard.ts';
import { guardArp } from './guard-arp.ts';
import { guardIgmp, guardIgmpDefaults } from './guard-igmp.ts';
import { guardIp } from './guard-ip.ts';
import { guardMac, onlyOwnMacs } from './guard-mac.ts';
import { guardNd } from './guard-nd.ts';
import { guardType, guardTypeDefaults } from './guard-type.ts';
import { reservedDefaults, reservedFlows } from './reserved-addresses.ts';

export const guards: Feature = {
  defaults: [...reservedDefaults, ...guardTypeDefaults, ...guardIgmpDefaults],

  ofPort: (local, { meterSpread }) => {
    if (!isGuarded(local)) return onlyOwnMacs(local);
    const meter = sharedMeterOf('probe', local.key, meterSpread);
    const punt = meter === null ? null : { userdata: writePuntData({ kind: 'link-local', ...local }), meter };
    return [
      ...guardMac(local),
      ...guardType(local),
      ...guardArp(local),
      ...guardNd(local, punt),
      ...guardIgmp(local),
      ...guardIp(local),
      ...dhcpServerGuard(local),
    ];
  },

  ofTrackedPort: (local) => (isGuarded(local) ? dhcpServerPieces(local) : []),

  declare: ({ graph, relations: { reserved, networkKeyOf }, install }) => {
    for (const relation of reserved)
      install(
        graph.map(`${relation.name}-flows`, relation, (_, value, read) => {
          const key = read(networkKeyOf, value.network);
          return key === undefined ? undefined : reservedFlows(key, value);
        }),
      );
  },
};
