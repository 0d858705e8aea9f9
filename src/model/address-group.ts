/** Address groups: attribute table, the record of a new one, and what adding and removing addresses means. */
import { parseCidr } from '../net/cidr.ts';
import type { AttributeTable, Check, DraftOf } from './attribute.ts';
import { ipSubnet, isObject, listOf, nullTo, toCanonicalCidr } from './checks.ts';
import { badRequest, refuse } from './faults.ts';
import type { Verbs } from './policy.ts';
import { pythonText } from './python-text.ts';
import type { AddressGroupRecord } from './records.ts';
import { arrayOf, objectOf, type Schema } from './schema.ts';
import { type Birth, born, nameAttribute, standardAttributes } from './standard-attributes.ts';

const subnets = listOf(ipSubnet);

/** Each prefix once, in the order of the request, host bits cleared. */
const normalized = (addresses: readonly string[]): readonly string[] => [
  ...new Set(addresses.map((address) => String(toCanonicalCidr(address)))),
];

export const addressGroupVerbs: Verbs = {
  create: ['admin', 'member'],
  read: ['admin', 'service', 'reader', 'shared'],
  update: ['admin', 'member'],
  delete: ['admin', 'member'],
};

export const addressGroupAttributes = {
  ...standardAttributes,
  name: nameAttribute,
  // An update cannot replace them: actions add and remove addresses.
  addresses: {
    post: 'allowed',
    put: false,
    fallback: [],
    convert: nullTo([]),
    validate: subnets,
    about: 'Prefixes; the actions of the group add and remove them.',
  },
  shared: {
    post: 'refused',
    put: false,
    filter: 'boolean',
    about: "Whether the reader's project may use it though another owns it.",
  },
} as const satisfies AttributeTable;

export type AddressGroupDraft = DraftOf<typeof addressGroupAttributes>;

export function newAddressGroup(birth: Birth, draft: AddressGroupDraft): AddressGroupRecord {
  return {
    ...born(birth, draft.description),
    name: draft.name,
    addresses: normalized(draft.addresses),
  };
}

const prefixOrHost: Check = (value) =>
  typeof value === 'string' && parseCidr(value) !== null
    ? null
    : `'${pythonText(value)}' is not a valid IP subnet`;

/** An address alone is a prefix of its full length: the actions take it, as Neutron's do, though creation does not. */
const named = listOf(prefixOrHost);

function withLength(address: string): string {
  const prefix = parseCidr(address);
  return prefix === null || address.includes('/') ? address : `${address}/${prefix.length}`;
}

export const addressesBody: Schema = objectOf({
  addresses: arrayOf({ type: 'string', format: 'ip-or-cidr' }),
});

/** The addresses that a body of `add_addresses` or `remove_addresses` names. */
function addressesOf(body: unknown): readonly string[] {
  if (!isObject(body)) {
    return badRequest(`Invalid input for address_group. Reason: '${pythonText(body)}' is not a dictionary.`);
  }
  const { addresses, ...rest } = body;
  const unknown = Object.keys(rest);
  if (unknown.length > 0) badRequest(`Unrecognized attribute(s) '${unknown.join(', ')}'`);
  if (addresses === undefined)
    badRequest("Failed to parse request. Required attribute 'addresses' not specified");
  const reason = named(addresses);
  if (reason !== null) badRequest(`Invalid input for addresses. Reason: ${reason}.`);
  return normalized((addresses as readonly string[]).map(withLength));
}

/** Adds all of them or none: one that is there already refuses the request. */
export function withAddresses(group: AddressGroupRecord, body: unknown): AddressGroupRecord {
  const asked = addressesOf(body);
  const held = new Set(group.addresses);
  const present = asked.filter((address) => held.has(address));
  if (present.length > 0) refuse({ code: 'AddressesAlreadyExist', id: group.id, addresses: present });
  return { ...group, addresses: [...group.addresses, ...asked] };
}

/** Removes all of them or none: one that is not there refuses the request. */
export function withoutAddresses(group: AddressGroupRecord, body: unknown): AddressGroupRecord {
  const asked = new Set(addressesOf(body));
  const held = new Set(group.addresses);
  const absent = [...asked].filter((address) => !held.has(address));
  if (absent.length > 0) refuse({ code: 'AddressesNotFound', id: group.id, addresses: absent });
  return { ...group, addresses: group.addresses.filter((address) => !asked.has(address)) };
}
