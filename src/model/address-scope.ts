/** Address scopes: within one no two subnet pools have the same address. Attribute table and the record of a new one. */
import type { AttributeTable, DraftOf, PatchOf } from './attribute.ts';
import { oneOf, toBoolean, toInteger } from './checks.ts';
import { refuse } from './faults.ts';
import type { Verbs } from './policy.ts';
import type { AddressScopeRecord } from './records.ts';
import { orNullSchema, uuidSchema } from './schema.ts';
import { nameAttribute, standardAttributes } from './standard-attributes.ts';

export const addressScopeVerbs: Verbs = {
  create: ['admin', 'member'],
  read: ['admin', 'reader', 'shared'],
  update: ['admin', 'member'],
  delete: ['admin', 'member'],
};

/** As in Neutron, they have no stamps. */
export const addressScopeAttributes = {
  id: standardAttributes.id,
  project_id: standardAttributes.project_id,
  name: nameAttribute,
  ip_version: {
    post: 'required',
    put: false,
    convert: toInteger,
    validate: oneOf([4, 6]),
    filter: 'integer',
    sort: true,
    about: 'The version of IP of its pools.',
  },
  shared: {
    post: 'allowed',
    put: true,
    fallback: false,
    convert: toBoolean,
    filter: 'boolean',
    sort: true,
    rights: { create: ['admin'], update: ['admin'] },
    about:
      "Whether the reader's project may use it though another owns it; once for all projects, always so.",
  },
} as const satisfies AttributeTable;

const scopeOfNetwork = { post: 'refused', put: false, type: orNullSchema(uuidSchema) } as const;

/** What networks show of scopes. */
export const networkScopeAttributes = {
  ipv4_address_scope: { ...scopeOfNetwork, about: "The scope of its IPv4 subnets' pool." },
  ipv6_address_scope: { ...scopeOfNetwork, about: "The scope of its IPv6 subnets' pool." },
} as const satisfies AttributeTable;

export type AddressScopeDraft = DraftOf<typeof addressScopeAttributes>;
export type AddressScopePatch = PatchOf<typeof addressScopeAttributes>;

export const newAddressScope = (
  id: string,
  project: string,
  { name, ip_version, shared }: AddressScopeDraft,
): AddressScopeRecord => ({ id, project_id: project, name, ip_version, shared });

/** `shared` tells whether the caller's project sees it as that. Throws `AddressScopeUpdateError`. */
export function changedAddressScope(
  scope: AddressScopeRecord,
  patch: AddressScopePatch,
  shared: boolean,
): AddressScopeRecord {
  if (shared && patch.shared === false)
    refuse({
      code: 'AddressScopeUpdateError',
      id: scope.id,
      reason: "Shared address scope can't be unshared",
    });
  return { ...scope, ...patch };
}
