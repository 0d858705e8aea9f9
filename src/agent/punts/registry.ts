/**
 * The handler of each kind of punted packet. Its meter class is in the kind's row (`pipeline/punt-data.ts`).
 * A handler returns writes and whether the packet goes on. It returns no flows: those follow from what the store says.
 */
import type { PuntKind } from '../../pipeline/punt-data.ts';
import { claims } from './claims.ts';
import { dhcp4 } from './dhcp4.ts';
import type { DhcpSettings } from './dhcp4-configuration.ts';
import { dhcp6 } from './dhcp6.ts';
import type { PuntHandler } from './handler.ts';
import { linkLocals } from './link-locals.ts';
import { movedConnections } from './moved-connections.ts';
import { routerErrors } from './router-errors.ts';
import { routerSolicitations } from './router-solicitations.ts';

export const puntHandlers = (dhcp: DhcpSettings): Readonly<Record<PuntKind, PuntHandler>> => ({
  'link-local': linkLocals,
  claim: claims,
  dhcp4: dhcp4(dhcp),
  dhcp6: dhcp6(dhcp),
  'router-solicitation': routerSolicitations(dhcp),
  'router-error': routerErrors,
  moved: movedConnections,
});
