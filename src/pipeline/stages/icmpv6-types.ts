/** The ICMPv6 types that speak for the link rather than through it (RFC 4861, RFC 2710, RFC 3810). */
import { icmpv6Types as types } from '../../net/packet/icmpv6.ts';

export const neighbourTypes = [
  types.routerSolicitation,
  types.routerAdvertisement,
  types.neighbourSolicitation,
  types.neighbourAdvertisement,
  types.redirect,
] as const;

export const reportTypes = [types.listenerReport, types.listenerDone, types.listenerReport2] as const;
export const listenerTypes = [types.listenerQuery, ...reportTypes] as const;
