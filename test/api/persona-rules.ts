/**
 * Neutron's policy defaults (2026.2) for what is offered here, resource by resource. Where ours depart from them on
 * purpose, the line says why; docs/api-differences.md lists it too.
 */
import type { Words } from './personas.ts';

export interface Rules {
  readonly create?: Words;
  readonly read: Words;
  readonly update?: Words;
  readonly delete: Words;
  /** Updates by those who see it only because it is shared are answered as if it were not there. */
  readonly concealed?: true;
  /** Attributes that not everybody who sees the thing sees. */
  readonly hidden?: Readonly<Record<string, Words>>;
}

const adminOnly: Words = ['admin'];
const operator: Words = ['admin', 'service'];
const members: Words = ['admin', 'member'];
const managers: Words = ['admin', 'manager'];
const networkOwner: Words = ['admin', 'service', 'above member'];

export const rules: Readonly<Record<string, Rules>> = {
  networks: {
    create: members,
    read: ['admin', 'reader', 'service', 'shared', 'external'],
    update: members,
    delete: members,
    hidden: {
      'provider:network_type': adminOnly,
      'provider:physical_network': adminOnly,
      'provider:segmentation_id': adminOnly,
    },
  },
  subnets: {
    create: ['admin', 'above member'],
    // Not `external`, which Neutron added in 2023: Tempest's users must not see subnets of external networks.
    read: ['admin', 'service', 'reader', 'shared', 'above reader'],
    update: ['admin', 'member', 'above member'],
    delete: ['admin', 'member', 'above member'],
  },
  ports: {
    // Neutron lets every role of a project that the network is shared with, also a reader. Here it must be a member.
    create: ['admin', 'service', 'above member', 'sharing member'],
    read: ['admin', 'service', 'reader', 'above reader'],
    update: ['admin', 'service', 'member'],
    delete: ['admin', 'service', 'member', 'above member'],
    hidden: {
      'binding:host_id': operator,
      'binding:profile': operator,
      'binding:vif_type': operator,
      'binding:vif_details': operator,
    },
  },
  'security-groups': {
    create: members,
    // Services see them here, as they see networks and ports.
    read: ['admin', 'service', 'reader', 'shared'],
    update: members,
    delete: members,
  },
  'security-group-rules': {
    create: ['admin', 'above member'],
    read: ['admin', 'service', 'above reader'],
    delete: ['admin', 'above member'],
  },
  'address-groups': {
    create: members,
    read: ['admin', 'service', 'reader', 'shared'],
    update: members,
    delete: members,
    concealed: true,
  },
  'rbac-policies': {
    create: members,
    read: ['admin', 'reader'],
    update: members,
    delete: members,
  },
  'qos/policies': {
    create: managers,
    read: ['admin', 'service', 'reader', 'shared'],
    update: managers,
    delete: managers,
  },
  'default-security-group-rules': {
    create: adminOnly,
    read: ['admin', 'service', 'anybody'],
    delete: adminOnly,
  },
  // What is for all projects has none for its own: administrators alone see and set it.
  'security-groups-default-statefulness': {
    create: managers,
    read: ['admin', 'reader'],
    update: managers,
    delete: managers,
  },
  subnetpools: { create: members, read: ['admin', 'reader', 'shared'], update: members, delete: members },
  'address-scopes': {
    create: members,
    read: ['admin', 'reader', 'shared'],
    update: members,
    delete: members,
  },
  routers: { create: members, read: ['admin', 'reader'], update: members, delete: members },
};

/** Attributes that ask for more than the resource does; `sent` is a value that Neutron asks about. */
export interface Restricted {
  readonly path: string;
  readonly attribute: string;
  /** A function makes it of the networks' ids. */
  readonly sent: unknown;
  readonly create?: Words;
  readonly update?: Words;
}

function both(path: string, attribute: string, sent: unknown, words: Words): Restricted {
  return { path, attribute, sent, create: words, update: words };
}

const gateway = (more: object) => (networks: Readonly<Record<string, string>>) => ({
  network_id: networks['external'],
  ...more,
});

export const restricted: readonly Restricted[] = [
  both('networks', 'shared', true, adminOnly),
  both('networks', 'router:external', true, adminOnly),
  both('networks', 'provider:network_type', 'local', adminOnly),
  both('ports', 'device_owner', 'network:dhcp', networkOwner),
  both('ports', 'port_security_enabled', false, networkOwner),
  both('ports', 'allowed_address_pairs', [{ ip_address: '192.0.2.9' }], networkOwner),
  // Neutron's service role alone may set the profile; administrators may here.
  both('ports', 'binding:profile', { a: 1 }, operator),
  both('ports', 'binding:host_id', 'somewhere', operator),
  {
    path: 'ports',
    attribute: 'mac_address',
    sent: 'fa:16:3e:12:34:56',
    create: networkOwner,
    update: ['admin', 'service', 'above manager'],
  },
  both('ports', 'fixed_ips', [{ ip_address: '198.51.100.77' }], networkOwner),
  { path: 'ports', attribute: 'fixed_ips', sent: [], update: networkOwner },
  // Portcullis' own, as what they are like.
  both('ports', 'port_security_mode', 'mac-only', networkOwner),
  both('ports', 'dhcp_trusted', true, networkOwner),
  // Anybody who may make the port may choose these.
  both('ports', 'binding:vnic_type', 'direct', ['admin', 'service', 'member']),
  both('ports', 'device_owner', 'compute:nova', ['admin', 'service', 'member']),
  both('networks', 'port_security_enabled', false, ['admin', 'member']),
  { path: 'rbac-policies', attribute: 'target_tenant', sent: '*', create: adminOnly, update: adminOnly },
  both('routers', 'external_gateway_info', gateway({}), members),
  both('routers', 'external_gateway_info', gateway({ enable_snat: false }), adminOnly),
  both(
    'routers',
    'external_gateway_info',
    gateway({ external_fixed_ips: [{ ip_address: '203.0.113.77' }] }),
    adminOnly,
  ),
  both('subnetpools', 'is_default', true, adminOnly),
  { path: 'subnetpools', attribute: 'shared', sent: true, create: adminOnly },
  both('address-scopes', 'shared', true, adminOnly),
  // Neutron has no rule for it and falls back to the owner; with everybody is a matter of the cloud here.
  both('qos/policies', 'shared', true, adminOnly),
];
