/** Port security, groups and pairs of a new or changed port, without other ports. */
import { refuse } from './faults.ts';
import type { PortDraft, PortPatch } from './port.ts';
import { isTrustedOwner } from './port-owner.ts';
import type { NetworkRecord, PortRecord, PortSecurityMode } from './records.ts';

/** The groups a request names: `default` when it is silent on a guarded port. */
export type GroupChoice = readonly string[] | 'default';

export interface PortGuard {
  readonly port_security_enabled: boolean;
  readonly port_security_mode: PortSecurityMode;
  readonly dhcp_trusted: boolean;
}

/** Port security of a new port: the network is a template, the request's own word wins. */
export function guardOfNewPort(draft: PortDraft, network: NetworkRecord): PortGuard {
  return {
    port_security_enabled:
      !isTrustedOwner(draft.device_owner) && (draft.port_security_enabled ?? network.port_security_enabled),
    port_security_mode: draft.port_security_mode ?? network.port_security_mode,
    dhcp_trusted: draft.dhcp_trusted ?? network.dhcp_trusted,
  };
}

export function groupsOfNewPort(draft: PortDraft, secured: boolean): GroupChoice {
  if (!secured) {
    if (draft.allowed_address_pairs.length > 0) refuse({ code: 'AddressPairAndPortSecurityRequired' });
    if ((draft.security_groups?.length ?? 0) > 0)
      refuse({ code: 'PortSecurityAndIPRequiredForSecurityGroups' });
    return [];
  }
  return draft.security_groups ?? 'default';
}

/** Port security, groups and pairs of a changed port; a port without port security has neither of the others. */
export function checkGuardOfChange(before: PortRecord, patch: PortPatch, after: PortRecord): PortRecord {
  // A port that became a router's keeps its port security.
  const kept = isTrustedOwner(before.device_owner) && before.port_security_enabled;
  const trusted = isTrustedOwner(after.device_owner) && !kept;
  const guarded = trusted
    ? {
        ...after,
        port_security_enabled: false,
        security_groups: patch.security_groups === undefined ? [] : after.security_groups,
      }
    : after;
  if (guarded.port_security_enabled) return guarded;
  if (guarded.allowed_address_pairs.length > 0) refuse({ code: 'AddressPairAndPortSecurityRequired' });
  if (patch.security_groups !== undefined && patch.security_groups.length > 0) {
    refuse({ code: 'PortSecurityAndIPRequiredForSecurityGroups' });
  }
  if (guarded.security_groups.length > 0 && before.security_groups.length > 0) {
    refuse({ code: 'PortSecurityPortHasSecurityGroup' });
  }
  return guarded;
}
