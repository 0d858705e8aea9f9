/** Layer 2 of port security: a guarded port sends untagged frames from its own MACs. */
import { macToBits } from '../../../net/mac.ts';
import { unwildcard } from '../../actions.ts';
import { type Draft, drop, flow } from '../../draft.ts';
import { type LocalPort, sentBy } from '../../local-port.ts';
import { groupAddress, tagged } from '../../matches.ts';
import { after } from '../../positions.ts';
import { isConfinedRole } from '../isolation/roles.ts';

/**
 * Where a tunnel or a physical network carries no name of the sender, its MAC is all that tells its role. So in an isolated
 * network a port without port security that may not reach all has its own MACs alone.
 */
export function onlyOwnMacs(local: LocalPort): Draft[] {
  const { port, macs, role, up } = local;
  if (!up || !isConfinedRole(role) || port.mode !== 'off') return [];
  const from = sentBy(local);
  const why = { reason: 'own-mac', port: port.id } as const;
  const next = { goto: after('egressRules') } as const;
  return [
    ...macs.map((mac) => flow('guard_mac', 'own', { ...from, eth_src: macToBits(mac) }, next, why)),
    drop('guard_mac', 'spoofed', from, { reason: 'isolated', drop: 'egress', port: port.id }),
  ];
}

export function guardMac(local: LocalPort): Draft[] {
  const { port, macs, prefixes } = local;
  const from = sentBy(local);
  const why = { reason: 'own-mac', port: port.id } as const;
  const next = port.mode === 'strict' && prefixes.length > 0 ? 'reserved_source' : 'guard_type';
  const ends = { drop: 'egress', port: port.id } as const;
  return [
    drop('guard_mac', 'tagged', { ...from, ...tagged }, { reason: 'vlan-tagged', ...ends }, [
      unwildcard('eth_src'),
    ]),
    drop(
      'guard_mac',
      'groupSource',
      { ...from, eth_src: groupAddress },
      { reason: 'multicast-source', ...ends },
    ),
    ...macs.map((mac) => flow('guard_mac', 'own', { ...from, eth_src: macToBits(mac) }, { goto: next }, why)),
    drop('guard_mac', 'spoofed', from, { reason: 'mac-spoof', ...ends }),
  ];
}
