/**
 * The extensions that are complete here, and no others: clients and test suites decide by them what to use. Some older
 * clients look for the name instead of the alias, so the names are Neutron's.
 */
import type { FastifyInstance } from 'fastify';
import { refuse } from '../model/faults.ts';
import { arrayOf, objectOf, stringSchema, timeSchema } from '../model/schema.ts';
import { type ApiOperation, describes, wrapped } from './openapi/operation.ts';

interface Extension {
  readonly alias: string;
  readonly name: string;
  readonly description: string;
}

const extensions: readonly Extension[] = [
  ['address-group', 'Address group', 'Prefixes under one name, for rules to refer to'],
  [
    'aap-reject-multicast',
    'Allowed address pairs reject multicast',
    'Multicast addresses in pairs are refused',
  ],
  ['address-scope', 'Address scope', 'Groups of subnet pools that have no address in common'],
  ['agent', 'agent', 'The hosts and their signs of life'],
  ['allowed-address-pairs', 'Allowed Address Pairs', 'Further addresses that a port may use'],
  [
    'allowed-address-pairs-atomic',
    'Atomic allowed address pairs',
    'Pairs of a port are added and removed without touching its other pairs',
  ],
  ['availability_zone', 'Availability Zone', 'Names for groups of hosts'],
  [
    'availability_zone_filter',
    'Availability Zone Filter Extension',
    'Filtering availability zones by what they show',
  ],
  ['binding', 'Port Binding', 'The host that holds a port and how it is plugged'],
  ['binding-extended', 'Port Bindings Extended', 'Bindings of a port at hosts to which it may move'],
  ['default-subnetpools', 'Default Subnetpools', 'The pool for subnets that name none'],
  ['empty-string-filtering', 'Empty String Filtering Extension', 'Filtering by attributes that are empty'],
  ['external-net', 'Neutron external network', 'Networks that lead out of the cloud'],
  [
    'ext-gw-mode',
    'Neutron L3 Configurable external gateway mode',
    'Whether a gateway is to translate addresses',
  ],
  ['extra_dhcp_opt', 'Neutron Extra DHCP options', 'What DHCP servers should tell a port beside the usual'],
  ['extraroute', 'Neutron Extra Route', 'Further routes of routers'],
  [
    'extraroute-atomic',
    'Atomically add/remove extra routes',
    'Routes of a router are added and removed without touching its other routes',
  ],
  ['filter-validation', 'Filter parameters validation', 'Unknown filters are refused'],
  ['ip_allocation', 'IP Allocation', 'Whether a port was made without addresses'],
  ['ip-substring-filtering', 'IP address substring filtering', 'Filtering ports by a part of an address'],
  [
    'isolated-networks',
    'Isolated networks',
    'Networks whose ports reach only gateways and their own community, through routers or not',
  ],
  ['net-mtu', 'Network MTU', 'The MTU of a network'],
  ['net-mtu-writable', 'Network MTU (writable)', 'The MTU of a network can be set'],
  ['network-ip-availability', 'Network IP Availability', 'How many addresses networks have and use'],
  ['network_availability_zone', 'Network Availability Zone', 'The zones of the hosts that serve a network'],
  ['pagination', 'Pagination support', 'Lists in pages'],
  ['data-plane-status', 'Port data plane status extension', 'What others found of the wire of a port'],
  ['port-device-profile', 'Port device profile', 'The accelerator that comes with a port'],
  ['port-numa-affinity-policy', 'Port NUMA affinity policy', 'How near to its port a guest is to be'],
  ['port-hints', 'Port hints', 'What somebody wants of the switch for a port'],
  ['port-trusted-vif', 'Port trusted vif', 'Whether a network card trusts the function of a port'],
  ['port-mac-address-regenerate', 'Neutron Port MAC address regenerate', 'Ports get a new MAC on request'],
  [
    'port-security',
    'Port Security',
    'Port security can be switched off for a port or for new ports of a network',
  ],
  [
    'port-security-mode',
    'Port security mode',
    'Strict or MAC-only port security, trust in DHCP servers, reserved addresses',
  ],
  ['project-id', 'project_id field enabled', 'Owners are shown as project_id'],
  ['provider', 'Provider Network', 'How networks are carried: by physical networks or tunnels'],
  ['pvlan', 'Private VLAN', 'Roles of ports that decide whom they reach on their network'],
  ['qos', 'Quality of Service', 'Policies that limit and mark the traffic of ports and networks'],
  [
    'qos-bw-limit-direction',
    'Direction for QoS bandwidth limit rule',
    'Bandwidth limits for what is sent and for what is received',
  ],
  ['qos-default', 'QoS default policy', 'The policy that new networks of a project begin with'],
  ['qos-port-network-policy', 'QoS port network policy ID', "Ports show their network's policy"],
  ['qos-pps', 'QoS Rule Type Packet per Second Extension', 'Limits on packets a second'],
  ['qos-rule-type-details', 'Details of QoS rule types', 'What parameters of rules may be'],
  [
    'qos-rule-type-filter',
    'Allow to filter the list of QoS rule types',
    'Listing rule types that are not offered too',
  ],
  ['qos-rules-alias', 'Quality of Service rules alias API', 'Rules of policies by their own id alone'],
  ['quota-check-limit', 'Quota engine limit check', 'Limits below what is used are refused on request'],
  [
    'quota-check-limit-default',
    'Quota engine limit check by default',
    'Limits below what is used are refused unless the request says `force`',
  ],
  ['quota_details', 'Quota details management support', 'What projects use of their quotas'],
  ['quotas', 'Quota management support', 'How much projects may have'],
  ['rbac-address-group', 'Add address_group type to RBAC', 'Sharing address groups with projects'],
  ['rbac-address-scope', 'Add address_scope type to RBAC', 'Sharing address scopes with projects'],
  ['rbac-policies', 'RBAC Policies', 'Sharing with projects'],
  [
    'rbac-security-groups',
    'Add security_group type to network RBAC',
    'Sharing security groups with projects',
  ],
  ['rbac-subnetpool', 'Add subnetpool type to RBAC', 'Sharing subnet pools with projects'],
  ['revision-if-match', 'If-Match constraints based on revision_number', 'Conditional updates and deletions'],
  ['router', 'Neutron L3 Router', 'Routers between networks'],
  ['security-group', 'security-group', 'Security groups'],
  [
    'security-groups-default-rules',
    'Default rules for security groups',
    'The rules that new security groups begin with',
  ],
  [
    'security-groups-default-statefulness',
    'Security Groups Default Statefulness',
    'Whether security groups are stateful when nobody says, for a project or for all',
  ],
  [
    'security-groups-normalized-cidr',
    'Normalized CIDR field for security group rules',
    'Prefixes without host bits',
  ],
  [
    'port-security-groups-filtering',
    'Port filtering on security groups',
    'Filtering ports by security group',
  ],
  [
    'security-groups-port-filtering',
    'Port filtering on security groups',
    'Filtering ports by security group',
  ],
  [
    'security-groups-remote-address-group',
    'Remote address group id field for security group rules',
    'Rules whose remote is an address group',
  ],
  [
    'security-groups-rules-belongs-to-default-sg',
    'Security group rules belongs to default SG',
    'Whether a rule is one of a default group',
  ],
  [
    'security-groups-shared-filtering',
    'Security group filtering on the shared field',
    'Filtering security groups by whether they are shared',
  ],
  ['sorting', 'Sorting support', 'Lists in an order'],
  ['standard-attr-description', 'standard-attr-description', 'Descriptions on all resources'],
  ['standard-attr-revisions', 'Resource revision numbers', 'Revision numbers on all resources'],
  ['standard-attr-timestamp', 'Resource timestamps', 'Times of creation and of the last change'],
  [
    'standard-attr-tag',
    'Tag support for resources with standard attribute: network, policy, port, router, security_group, subnet, subnetpool',
    'Tags on networks, subnets, subnet pools, ports, routers, security groups and QoS policies',
  ],
  ['stateful-security-group', 'Stateful security group', 'Groups without connection tracking'],
  ['subnet_allocation', 'Subnet Allocation', 'Subnets whose prefixes come from pools'],
  ['subnet_onboard', 'Subnet Onboard', 'Subnets that are there become subnets of a pool'],
  ['subnet-service-types', 'Subnet service types', 'Subnets for ports of certain device owners'],
  ['subnetpool-prefix-ops', 'Subnet Pool Prefix Operations', 'Prefixes of a pool come and go one by one'],
  ['tag-creation', 'Tag creation extension', 'Several tags added at once'],
  ['tag-ports-during-bulk-creation', 'Tag Ports During Bulk Creation', 'Ports made with tags'],
  [
    'uplink-status-propagation',
    'Uplink status propagation extension',
    'Whether the function of a port follows its uplink',
  ],
  [
    'uplink-status-propagation-updatable',
    'Uplink status propagation updatable extension',
    'Changing whether it does',
  ],
].map(([alias = '', name = '', description = '']) => ({ alias, name, description }));

const shown = (extension: Extension) => ({ ...extension, updated: '2026-01-01T00:00:00-00:00', links: [] });

const extensionSchema = objectOf({
  alias: stringSchema,
  name: stringSchema,
  description: stringSchema,
  updated: timeSchema,
  links: arrayOf({ type: 'object' }),
});

const listOperation: ApiOperation = {
  group: 'extensions',
  summary: 'Lists the extensions that are whole here',
  answers: { 200: wrapped('extensions', arrayOf(extensionSchema)) },
};

const showOperation: ApiOperation = {
  group: 'extensions',
  summary: 'Shows one extension',
  answers: { 200: wrapped('extension', extensionSchema) },
};

export function registerExtensions(app: FastifyInstance): void {
  app.get('/v2.0/extensions', describes(listOperation), async () => ({ extensions: extensions.map(shown) }));
  app.get<{ Params: { alias: string } }>(
    '/v2.0/extensions/:alias',
    describes(showOperation),
    async ({ params: { alias } }) => {
      const extension = extensions.find((one) => one.alias === alias);
      return extension === undefined
        ? refuse({ code: 'ExtensionNotFound', alias })
        : { extension: shown(extension) };
    },
  );
}
