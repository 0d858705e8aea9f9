/** Which of several ports has an address: claims of ports here, and what the switch learns from claims of ports anywhere. */
import { formatCidr } from '../../../net/cidr.ts';
import { mayUse } from '../../../policy/address-owners.ts';
import { noAbilities } from '../../abilities.ts';
import type { Feature } from '../../feature.ts';
import { writePuntData } from '../../punt-data.ts';
import { sharedMeterOf } from '../../shared-meters.ts';
import { type Claimable, claimDefaults, claimFlows, claimLimit } from './claims.ts';
import { learningDefaults, learningFlows } from './learning.ts';

export const owners: Feature = {
  defaults: [...claimDefaults, ...learningDefaults],

  declare: ({ graph, facts, relations, install }) => {
    const { locals, remotes, holders, macsMoved } = relations;
    install(
      graph.map('claim-flows', locals, (_, local, read) => {
        const { port, named, prefixes, key, up } = local;
        const { meterSpread } = read(facts.abilities, 'switch') ?? noAbilities;
        const meter = sharedMeterOf('answer', key, meterSpread);
        if (port.mode === 'off' || !up || meter === null) return undefined;
        const wide = new Set(prefixes.map(({ mac }) => mac));
        const shared = named
          .filter(({ ip }) => (read(holders, `${port.network}|${formatCidr(ip)}`)?.size ?? 0) > 1)
          .map(({ mac, ip }): Claimable & { readonly records: string | undefined } => {
            const records = read(macsMoved, `${port.network}|${mac}`);
            return { mac, ip, movesMac: records !== undefined, records };
          });
        const any = [...wide].map((mac): Claimable => ({ mac, ip: null, movesMac: false }));
        const claimables = [...any, ...shared.filter(({ mac, movesMac }) => movesMac || !wide.has(mac))];
        if (claimables.length === 0) return undefined;
        const copies = writePuntData({ kind: 'claim', ...local });
        const moved = new Map(
          shared.flatMap(({ mac, records }) => (records === undefined ? [] : [[mac, records]])),
        );
        return [
          ...claimFlows(local, claimables, meter, copies),
          ...(moved.size === 0 ? [] : claimLimit(local, meter)),
          ...[...moved].flatMap(([mac, records]) => learningFlows(local, mac, records, copies)),
        ];
      }),
    );
    install(
      graph.map('remote-claim-flows', remotes, (_, remote, read) => {
        const { port, macs, up, key, peer } = remote;
        // A port that arrives here makes its claims from either host by one set of flows.
        if (read(locals, port.id) !== undefined) return undefined;
        const { meterSpread } = read(facts.abilities, 'switch') ?? noAbilities;
        const meter = sharedMeterOf('answer', key, meterSpread);
        // Only Geneve says which port it is, where several ports of the host have the MAC.
        if (port.mode === 'off' || !up || meter === null || peer.type !== 'geneve') return undefined;
        const flows = macs.flatMap((mac) => {
          const records = mac === port.mac ? undefined : read(macsMoved, `${port.network}|${mac}`);
          if (records === undefined) return [];
          const claimables = port.pairs
            .filter(({ ip }) => mayUse(port, { address: ip, mac }))
            .filter(({ ip }) => (read(holders, `${port.network}|${formatCidr(ip)}`)?.size ?? 0) > 1)
            .map(({ ip }): Claimable => ({ mac, ip, movesMac: true }));
          return [
            ...claimFlows(remote, claimables, meter, null),
            ...learningFlows(remote, mac, records, null),
          ];
        });
        return flows.length === 0 ? undefined : [...flows, ...claimLimit(remote, meter)];
      }),
    );
  },
};
