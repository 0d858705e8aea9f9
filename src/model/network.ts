/** Networks: their attribute table and the record of a new one. */
import { networkScopeAttributes } from './address-scope.ts';
import type { AttributeTable, DraftOf, PatchOf } from './attribute.ts';
import { networkZoneAttributes } from './availability-zone.ts';
import { integerBetween, oneOf, orNull, toBoolean, toInteger, uuid } from './checks.ts';
import { invalidInput, refuse } from './faults.ts';
import { isolationOf, networkIsolationAttributes } from './isolation.ts';
import type { Verbs } from './policy.ts';
import { providerAttributes } from './provider.ts';
import type { NetworkRecord } from './records.ts';
import { arrayOf, schemaOf, uuidSchema } from './schema.ts';
import { type Birth, born, nameAttribute, standardAttributes } from './standard-attributes.ts';
import { tagsAttribute } from './tags.ts';

/** Whether the network leads out of the cloud. */
export const external = 'router:external';

const boolean = { post: 'allowed', put: true, convert: toBoolean, filter: 'boolean', sort: true } as const;

/** Projects see networks that are shared with them. Subnets and ports of a network have their own rules. */
export const networkVerbs: Verbs = {
  create: ['admin', 'member'],
  read: ['admin', 'service', 'reader', 'shared', 'external'],
  update: ['admin', 'member'],
  delete: ['admin', 'member'],
};

/** The MTU of Ethernet, and of networks that ask for none. */
export const usualMtu = 1500;

/** 65535 is the largest packet of both families. */
const mtuRange = integerBetween(0, 65_535);
const mtu = (value: unknown): string | null =>
  Number(value) < 0 ? `'${String(value)}' should be non-negative` : mtuRange(value);

export const networkAttributes = {
  ...standardAttributes,
  name: nameAttribute,
  admin_state_up: { ...boolean, fallback: true, about: 'Whether the network carries packets.' },
  shared: {
    ...boolean,
    fallback: false,
    rights: { create: ['admin'], update: ['admin'] },
    about: "Whether the reader's project may use it though another owns it.",
  },
  mtu: {
    post: 'allowed',
    put: true,
    fallback: 0,
    convert: (value) => toInteger(value) || 0,
    validate: mtu,
    type: { type: 'integer', minimum: 1, maximum: 65_535 },
    filter: 'integer',
    sort: true,
    sent: schemaOf(mtuRange) ?? {},
    about:
      'The largest packet in bytes; 0 asks for the largest that the cloud carries. Subnets need 68, those of IPv6 1280.',
  },
  port_security_enabled: { ...boolean, fallback: true, about: 'What new ports begin with.' },
  port_security_mode: {
    post: 'allowed',
    put: true,
    fallback: 'strict',
    validate: oneOf(['strict', 'mac-only']),
    filter: 'text',
    about:
      'What new ports begin with: all of an address, or the MAC alone, is held to what the port may claim.',
  },
  dhcp_trusted: {
    ...boolean,
    fallback: false,
    about: 'What new ports begin with: whether they may serve DHCP.',
  },
  allow_reserved_pairs: {
    ...boolean,
    fallback: false,
    about: "Whether allowed pairs may claim the gateway's, a service's or the metadata address.",
  },
  address_pairs_forwarding: {
    post: 'allowed',
    put: true,
    validate: oneOf(['detect', 'broadcast']),
    filter: 'text',
    about:
      'Who gets what is for a MAC of several ports: `detect`, the port that claimed its address last; `broadcast`, all of them.',
  },
  [external]: {
    ...boolean,
    fallback: false,
    rights: { create: ['admin'], update: ['admin'] },
    about: 'Whether it leads out of the cloud.',
  },
  is_default: {
    ...boolean,
    fallback: false,
    rights: { create: ['admin'], update: ['admin'] },
    sometimes: true,
    about: 'Whether clients that name no external network get this one; shown of external networks.',
  },
  ...providerAttributes,
  ...networkIsolationAttributes,
  ...networkZoneAttributes,
  ...networkScopeAttributes,
  tags: tagsAttribute,
  qos_policy_id: {
    post: 'allowed',
    put: true,
    fallback: null,
    validate: orNull(uuid),
    filter: 'text',
    about: 'The QoS policy of ports that have none of their own.',
  },
  status: { post: 'refused', put: false, filter: 'text', sort: true, about: 'Whether it works: `ACTIVE`.' },
  subnets: {
    post: 'refused',
    put: false,
    type: arrayOf(uuidSchema),
    filter: 'list',
    about: 'The subnets that it has.',
  },
} as const satisfies AttributeTable;

/** Packets of this size must pass, in IPv4 (RFC 791 3.2) and in IPv6 (RFC 8200 5). */
const minMtu = { 4: 68, 6: 1280 } as const;

/** The MTU of a network that asks for this one, 0 being the largest. Throws `InvalidInput` beyond that. */
export function mtuFor(asked: number, largest: number): number {
  if (asked > largest) invalidInput(`Requested MTU is too big, maximum is ${largest}`);
  return asked === 0 ? largest : asked;
}

/** Throws `NetworkMTUSubnetConflict` where a subnet of the family cannot be. */
export function checkMtu(network: Pick<NetworkRecord, 'id' | 'mtu'>, family: 4 | 6): void {
  for (const smallest of [minMtu[4], minMtu[family]])
    if (network.mtu < smallest)
      refuse({ code: 'NetworkMTUSubnetConflict', network: network.id, mtu: smallest });
}

export type NetworkDraft = DraftOf<typeof networkAttributes>;
export type NetworkPatch = PatchOf<typeof networkAttributes>;

export function newNetwork(
  birth: Birth,
  { vni, provider }: Pick<NetworkRecord, 'vni' | 'provider'>,
  draft: NetworkDraft,
): NetworkRecord {
  return {
    ...born(birth, draft.description),
    name: draft.name,
    vni,
    admin_state_up: draft.admin_state_up,
    shared: draft.shared,
    mtu: draft.mtu,
    port_security_enabled: draft.port_security_enabled,
    port_security_mode: draft.port_security_mode,
    dhcp_trusted: draft.dhcp_trusted,
    allow_reserved_pairs: draft.allow_reserved_pairs,
    ...(draft.address_pairs_forwarding === undefined
      ? {}
      : { address_pairs_forwarding: draft.address_pairs_forwarding }),
    qos_policy_id: draft.qos_policy_id,
    ...isolationOf({ id: birth.id, port_security_enabled: draft.port_security_enabled }, draft),
    ...(provider === undefined ? {} : { provider }),
    ...(draft[external] ? { [external]: true } : {}),
    // Means nothing for others.
    ...(draft[external] && draft.is_default ? { is_default: true } : {}),
    ...(draft.availability_zone_hints.length === 0
      ? {}
      : { availability_zone_hints: draft.availability_zone_hints }),
  };
}
