/**
 * Where each thing lives in the store. Ports, subnets, bindings and link-locals sit under their network, rules
 * under their group, so that a hypervisor can follow just the prefixes that its ports need.
 */
export const keys = {
  network: (id: string) => `networks/${id}`,
  subnet: (network: string, id: string) => `subnets/${network}/${id}`,
  port: (network: string, id: string) => `ports/${network}/${id}`,
  group: (id: string) => `groups/${id}`,
  rule: (group: string, id: string) => `rules/${group}/${id}`,
  /** The project's default group, once: the value is the group's id. */
  defaultGroup: (project: string) => `default-groups/${project}`,
  /** A template of a rule that new groups begin with. */
  defaultGroupRule: (id: string) => `default-rules/${id}`,
  /** There once the first templates were made: without any, groups begin without rules. */
  defaultGroupRulesPlanted: 'planted/default-rules',
  /** Whether new groups are stateful; the second is the one setting of a project ('': of all), and its value the setting's id. */
  defaultStatefulness: (id: string) => `default-statefulness/${id}`,
  defaultStatefulnessOf: (project: string) =>
    project === '' ? 'default-statefulness-of-all' : `default-statefulness-of/${project}`,
  /** Something (a port, or a rule of another group) that names the group: what a group's removal must not overlook. */
  groupUse: (group: string, user: string) => `uses/groups/${group}/${user}`,
  groupUses: (group: string) => `uses/groups/${group}/`,
  /** There while the group is stateless: what a port that mixes groups relies on. */
  statelessGroup: (group: string) => `stateless/${group}`,
  /** Uniqueness: the value is the port's id. */
  takenIp: (network: string, address: string) => `taken/ip/${network}/${address}`,
  takenMac: (network: string, mac: string) => `taken/mac/${network}/${mac}`,
  /** A router, with the ids of the ports that it holds. */
  router: (id: string) => `routers/${id}`,
  addressGroup: (id: string) => `address-groups/${id}`,
  /** A rule that names the address group. */
  addressGroupUse: (group: string, user: string) => `uses/address-groups/${group}/${user}`,
  addressGroupUses: (group: string) => `uses/address-groups/${group}/`,
  /** A QoS policy, its rules included. */
  qosPolicy: (id: string) => `qos/${id}`,
  /** A port or network that has the policy. */
  qosPolicyUse: (policy: string, user: string) => `uses/qos/${policy}/${user}`,
  qosPolicyUses: (policy: string) => `uses/qos/${policy}/`,
  /** The project's default policy, once: the value is the policy's id. */
  defaultQosPolicy: (project: string) => `default-qos/${project}`,
  /** The limits that a project was given. */
  quota: (project: string) => `quotas/${project}`,
  /** Written by whoever creates such a resource of the project under a limit. No other key begins so. */
  quotaUse: (project: string, resource: string) => `uses/quotas/${resource}/${project}/`,
  /** Once: the value is the network's id. */
  defaultExternalNetwork: 'default-external-network',
  addressScope: (id: string) => `address-scopes/${id}`,
  /** A pool of the scope. */
  addressScopeUse: (scope: string, pool: string) => `uses/address-scopes/${scope}/${pool}`,
  addressScopeUses: (scope: string) => `uses/address-scopes/${scope}/`,
  subnetPool: (id: string) => `subnet-pools/${id}`,
  /** A subnet that was cut from the pool. */
  subnetPoolUse: (pool: string, subnet: string) => `uses/subnet-pools/${pool}/${subnet}`,
  subnetPoolUses: (pool: string) => `uses/subnet-pools/${pool}/`,
  /** Once for each version of IP: the value is the pool's id. */
  defaultSubnetPool: (version: number | string) => `default-subnet-pools/${version}`,
  rbacPolicy: (id: string) => `rbac/${id}`,
  /** Written by the host that holds the port. */
  binding: (network: string, port: string) => `bindings/${network}/${port}`,
  /** A link-local address that passed duplicate-address detection, first come first served. */
  linkLocal: (network: string, address: string) => `link-locals/${network}/${address}`,
  agentNote: (host: string) => `agent-notes/${host}`,
  host: (name: string) => `hosts/${name}`,
  /** What a host plugs ports into (BridgeRecord): known also while its agent is away or has not met its switch. */
  bridge: (host: string) => `bridges/${host}`,
  /** What a rule let in on a host (HitRecord), and since when the host counts (HitWatchRecord). */
  hits: (host: string, rule: string) => `hits/${host}/${rule}`,
  hitWatch: (host: string) => `hit-watches/${host}`,
  /** Which server tells the compute service, since when that is done at all, and what it knows of a port (ToldRecord). */
  novaLease: 'nova/lease',
  novaBegan: 'nova/began',
  novaTold: (port: string) => `nova/told/${port}`,
  /** A question to the agents (see AskRecord), and each host's answer; the asker deletes both. */
  ask: (id: string) => `asks/${id}`,
  answer: (id: string, host: string) => `answers/${id}/${host}`,
} as const;

export const prefixes = {
  networks: 'networks/',
  subnets: 'subnets/',
  ports: 'ports/',
  groups: 'groups/',
  rules: 'rules/',
  addressGroups: 'address-groups/',
  qosPolicies: 'qos/',
  addressScopes: 'address-scopes/',
  subnetPools: 'subnet-pools/',
  rbacPolicies: 'rbac/',
  hits: 'hits/',
  hitWatches: 'hit-watches/',
  defaultGroups: 'default-groups/',
  bindings: 'bindings/',
  linkLocals: 'link-locals/',
  hosts: 'hosts/',
  asks: 'asks/',
  answers: 'answers/',
} as const;
