/**
 * Ports: the attribute table. Port security, groups and pairs of one port are in port-guard.ts; choosing addresses needs
 * the other ports and is the API's matter.
 */
import type { AccessRule } from './access.ts';
import { pairsSchema, toPairDrafts } from './address-pairs.ts';
import type { AttributeTable, Check, DraftOf, PatchOf } from './attribute.ts';
import {
  dictionary,
  isLonger,
  macAddress,
  nullTo,
  oneOf,
  orNull,
  text,
  toBoolean,
  toMac,
  uuid,
  uuidList,
} from './checks.ts';
import { toDhcpOptions } from './dhcp-options.ts';
import { fixedIps, toFixedIps } from './fixed-ips.ts';
import { portIsolationAttributes } from './isolation.ts';
import type { Verbs } from './policy.ts';
import { portNoteAttributes } from './port-notes.ts';
import { isTrustedOwner } from './port-owner.ts';
import { arrayOf, enumSchema, macSchema, objectOf, type Schema, stringSchema, uuidSchema } from './schema.ts';
import { nameAttribute, standardAttributes } from './standard-attributes.ts';
import { tagsAtBirth } from './tags.ts';

/** The network's owner sees and may remove every port on it. */
export const portVerbs: Verbs = {
  create: ['admin', 'service', 'parent-member', 'sharing-member'],
  read: ['admin', 'service', 'reader', 'parent-reader'],
  update: ['admin', 'service', 'member'],
  delete: ['admin', 'service', 'member', 'parent-member'],
};

/** Attributes that decide which addresses a port may claim: on another project's network the port's owner may not set them. */
const networkOwner: AccessRule = ['admin', 'service', 'parent-member'];
const operator = ['admin', 'service'] as const;
const ofNetworkOwner = { create: networkOwner, update: networkOwner } as const;
const ofOperator = { create: operator, update: operator, read: operator } as const;
const onShared: AccessRule = [...networkOwner, 'shared'];

const vnicTypes = [
  'normal',
  'macvtap',
  'direct',
  'baremetal',
  'direct-physical',
  'virtio-forwarder',
  'smart-nic',
  'vdpa',
  'accelerator-direct',
  'accelerator-direct-physical',
  'remote-managed',
];

const dhcpOption = (value: Schema, optional: readonly string[] = []): Schema =>
  objectOf({ opt_name: stringSchema, opt_value: value, ip_version: enumSchema([4, 6]) }, optional);

const choice = { post: 'allowed', put: true, filter: 'text', sort: true } as const;
const deviceText = { ...choice, fallback: '', validate: text(255) } as const;
/** The width of Neutron's column. It also limits the text of errors. */
const maxProfile = 4095;

const profile: Check<Readonly<Record<string, unknown>>> = (value) => {
  const reason = dictionary(value);
  if (reason !== null) return reason;
  try {
    if (!isLonger(JSON.stringify(value), maxProfile)) return null;
  } catch {
    // Nested too deep to be written.
  }
  return 'binding:profile value too large';
};

export const portAttributes = {
  ...standardAttributes,
  // Gateways of routers are no project's.
  project_id: {
    ...standardAttributes.project_id,
    type: { type: 'string', pattern: '^[!-~]{0,255}$' },
    sent: { type: 'string', pattern: '^[!-~]{1,255}$' },
  },
  name: nameAttribute,
  network_id: {
    post: 'required',
    put: false,
    validate: uuid,
    filter: 'text',
    sort: true,
    about: 'The network that it is on.',
  },
  admin_state_up: {
    ...choice,
    fallback: true,
    convert: toBoolean,
    filter: 'boolean',
    about: 'Whether its packets pass.',
  },
  mac_address: {
    ...choice,
    // Null asks for a new one.
    convert: toMac,
    validate: orNull(macAddress),
    type: macSchema,
    rights: { create: networkOwner, update: ['admin', 'service', 'parent-manager'] },
    about: 'Its MAC; null asks for a new one.',
  },
  fixed_ips: {
    post: 'allowed',
    put: true,
    convert: toFixedIps,
    validate: fixedIps,
    filter: 'fixed-ips',
    rights: {
      create: onShared,
      update: networkOwner,
      items: { ip_address: ofNetworkOwner, subnet_id: { create: onShared, update: onShared } },
    },
    sent: arrayOf(objectOf({ subnet_id: uuidSchema, ip_address: stringSchema }, ['subnet_id', 'ip_address'])),
    about: 'Its addresses: one of each kind of subnet unless the request lists subnets, addresses or both.',
  },
  tags: tagsAtBirth,
  extra_dhcp_opts: {
    post: 'allowed',
    put: true,
    fallback: [],
    convert: toDhcpOptions,
    type: arrayOf(dhcpOption(stringSchema)),
    sent: arrayOf(dhcpOption({ type: ['string', 'null'] }, ['ip_version'])),
    about: 'What DHCP servers tell it beside the usual; in updates a null takes an option away.',
  },
  ip_allocation: {
    post: 'refused',
    put: false,
    type: enumSchema(['immediate', 'none']),
    filter: 'text',
    sort: true,
    about: 'Whether it got addresses when it was made.',
  },
  device_id: { ...deviceText, about: 'What it belongs to: a server, a router.' },
  device_owner: {
    ...deviceText,
    rights: {
      ...ofNetworkOwner,
      // Such ports are never filtered.
      values: (value) => typeof value === 'string' && isTrustedOwner(value),
    },
    about: 'Who made it; what begins with `network:` is never filtered.',
  },
  security_groups: {
    post: 'allowed',
    put: true,
    convert: nullTo([]),
    validate: uuidList,
    filter: 'list',
    about: "The groups whose rules hold for it: the project's default group unless the request says.",
  },
  allowed_address_pairs: {
    post: 'allowed',
    put: true,
    fallback: [],
    convert: toPairDrafts,
    filter: 'address-pairs',
    rights: ofNetworkOwner,
    sent: pairsSchema,
    about: "Addresses beside its own that it may send from; the MAC is the port's unless a pair says.",
  },
  port_security_enabled: {
    ...choice,
    convert: toBoolean,
    filter: 'boolean',
    rights: ofNetworkOwner,
    about: 'Whether it is held to its addresses and groups; the network says what it begins with.',
  },
  port_security_mode: {
    ...choice,
    validate: oneOf(['strict', 'mac-only']),
    rights: ofNetworkOwner,
    about: 'What it is held to: all of its addresses or the MAC alone; the network says what it begins with.',
  },
  dhcp_trusted: {
    ...choice,
    convert: toBoolean,
    filter: 'boolean',
    rights: ofNetworkOwner,
    about: 'Whether it may serve DHCP; the network says what it begins with.',
  },
  'binding:host_id': {
    ...deviceText,
    // Null unbinds, as compute services send it.
    convert: nullTo(''),
    rights: ofOperator,
    about: 'The host that it is asked to be on, or else the one that holds it; empty or null for none.',
  },
  'binding:vnic_type': {
    ...choice,
    fallback: 'normal',
    convert: nullTo('normal'),
    validate: oneOf(vnicTypes),
    about: 'How a guest is meant to be plugged.',
  },
  'binding:profile': {
    post: 'allowed',
    put: true,
    fallback: {},
    convert: nullTo({}),
    validate: profile,
    type: { type: 'object' },
    rights: ofOperator,
    about: 'What compute services note of the plug; kept, not read.',
  },
  'binding:vif_type': {
    post: 'refused',
    put: false,
    filter: 'text',
    rights: { read: operator },
    about: 'How the host plugs it: `ovs`, `unbound` or `binding_failed`.',
  },
  'binding:vif_details': {
    post: 'refused',
    put: false,
    type: { type: 'object' },
    rights: { read: operator },
    about: 'What the host needs for that.',
  },
  qos_policy_id: {
    post: 'allowed',
    put: true,
    fallback: null,
    validate: orNull(uuid),
    filter: 'text',
    about: 'The QoS policy of its own.',
  },
  qos_network_policy_id: {
    post: 'refused',
    put: false,
    type: { type: ['string', 'null'], format: 'uuid' },
    about: "The network's QoS policy.",
  },
  ...portNoteAttributes,
  ...portIsolationAttributes,
  status: {
    post: 'refused',
    put: false,
    filter: 'text',
    sort: true,
    about:
      '`ACTIVE` once the switch of its host has acknowledged its flows, else `DOWN`. ' +
      "A router's port is `ACTIVE` while a live host routes for it.",
  },
} as const satisfies AttributeTable;

export type PortDraft = DraftOf<typeof portAttributes>;
export type PortPatch = PatchOf<typeof portAttributes>;
