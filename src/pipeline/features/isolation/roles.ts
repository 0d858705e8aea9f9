/** Roles as the register of a packet's origin has them. */
import type { PortRole } from '../../../model/records.ts';
import type { NetworkId } from '../../../policy/world.ts';
import { IdSpace } from '../../ids.ts';

export interface RoleIds {
  /** By `network|community`, and never the numbers of the other roles. */
  readonly communities: IdSpace;
}

export const newRoleIds = (): RoleIds => ({
  communities: new IdSpace({ lowest: 8, highest: 0x7fff_fffe }),
});

/** 0 outside isolated networks, and for who is unknown. */
export const roleNumbers = { isolated: 1, promiscuous: 2 } as const;

/** Isolated, or of a community: such roles are odd. */
export const isConfinedRole = (role: number): boolean => role % 2 === 1;
export const anyConfined = { value: 1n << 32n, mask: 1n << 32n } as const;

/** A role in its half of the register. */
export const inOrigin = (role: number) =>
  ({ value: BigInt(role) << 32n, mask: 0xffff_ffff_0000_0000n }) as const;

/** The interface in its half. */
export const byInterface = (ofport: number) => ({ value: BigInt(ofport), mask: 0xffff_ffffn }) as const;

export function roleNumber({ communities }: RoleIds, network: NetworkId, role: PortRole): number {
  return role.kind === 'community'
    ? communities.of(`${network}|${role.name}`) * 2 + 1
    : roleNumbers[role.kind];
}
