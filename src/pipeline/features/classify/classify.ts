/** The first table: which local port sent the packet, and what is known of it. */
import { type Draft, drop, flow } from '../../draft.ts';
import type { LocalPort } from '../../local-port.ts';
import { ctState } from '../../matches.ts';
import { after } from '../../positions.ts';
import { flag, register } from '../../registers.ts';
import { inOrigin, isConfinedRole } from '../isolation/roles.ts';

export function classify(local: LocalPort): Draft[] {
  const { port, up, ofport, key, networkKey, zone, set, role } = local;
  const from = { in_port: ofport };
  if (!up) return [drop('classify', 'port', from, { reason: 'admin-down', drop: 'egress', port: port.id })];
  const guarded = port.mode !== 'off';
  const flags =
    (port.mode === 'strict' ? 0 : flag.unguarded) | (local.moving === undefined ? 0 : flag.moving);
  return [
    flow(
      'classify',
      'port',
      from,
      {
        load: {
          [register.source]: key,
          [register.zone]: zone,
          [register.network]: networkKey,
          ...(set === 0 ? {} : { [register.sourceSet]: set }),
          [register.origin]: BigInt(ofport) | inOrigin(role).value,
          ...(flags === 0 ? {} : { [register.flags]: flags }),
        },
        goto: guarded || isConfinedRole(role) ? after('classify') : after('egressRules'),
      },
      { reason: 'port', port: port.id },
    ),
  ];
}

/** No packet comes in with a verdict of connection tracking. */
const lookedUp = { ct_state: ctState(['tracked', 'invalid']) };

export const classifyDefaults: readonly Draft[] = [
  // Packets that later tables drop then have the mask of those that pass, since `l2` matches these bits.
  drop('classify', 'tracked', lookedUp, { reason: 'ct-invalid', drop: 'egress' }),
  drop('classify', 'unknown', {}, { reason: 'unknown-port', drop: 'egress' }),
];
