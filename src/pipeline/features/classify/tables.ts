/** The first table: which local port sent the packet. */
import { after } from '../../positions.ts';
import { register } from '../../registers.ts';
import type { TableRow } from '../../rows.ts';

const { source, zone, network, sourceSet, flags, origin } = register;

export const classifyTables = {
  /** in_port → the sender's key, network and set of groups. */
  classify: {
    id: 0,
    match: ['in_port', 'ct_state'],
    bands: { tracked: 200, port: 100, unknown: 0 },
    load: [source, zone, network, sourceSet, flags, origin],
    next: [after('classify'), after('egressRules'), 'tunnel_host', 'physical'],
  },
} as const satisfies Record<string, TableRow>;

/** Why packets go on, or what happens to them. */
export const classifyReasons = {
  port: 'the port of this interface',
} as const;
