/** The ICMPv6 types that speak for the link rather than through it (RFC 4861, RFC 2710, RFC 3810), and for routers. */
import { icmpv6Types as types } from '../net/packet/icmpv6.ts';

export const neighbourTypes = [
  types.routerSolicitation,
  types.routerAdvertisement,
  types.neighbourSolicitation,
  types.neighbourAdvertisement,
  types.redirect,
] as const;

export const reportTypes = [types.listenerReport, types.listenerDone, types.listenerReport2] as const;
export const listenerTypes = [types.listenerQuery, ...reportTypes] as const;

/** What no guest says, whatever is in it, and the reason that its drop is counted under. */
export const forbiddenTypes = [
  [types.redirect, 'redirect'],
  [types.listenerQuery, 'mld-query'],
  [types.inverseSolicitation, 'nd-spoof'],
  [types.inverseAdvertisement, 'nd-spoof'],
  [types.routerRenumbering, 'router-message'],
  [types.multicastRouterAdvertisement, 'router-message'],
  [types.multicastRouterTermination, 'router-message'],
  [types.rplControl, 'router-message'],
] as const;

/** All that the guard of neighbour discovery judges. */
export const guardedTypes: ReadonlySet<number> = new Set([
  ...neighbourTypes,
  ...listenerTypes,
  ...forbiddenTypes.map(([type]) => type),
]);
