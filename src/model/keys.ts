/**
 * The registry of key kinds: what each key in the store looks like and what its record is. Ports, subnets, bindings and
 * link-locals lie under their network, and rules under their group. So an agent can follow just the prefixes that its ports
 * need. No other file knows a layout.
 */
import type { DefaultStatefulnessRecord } from './default-statefulness.ts';
import { jsonOf, type Kind, marksAt, notesAt, recordsAt } from './key-kind.ts';
import type { QuotaRecord } from './quota.ts';
import type {
  AddressGroupRecord,
  AddressScopeRecord,
  AgentNote,
  AppliedRecord,
  AskRecord,
  BindingRecord,
  BridgeRecord,
  DefaultGroupRuleRecord,
  HitRecord,
  HitWatchRecord,
  HostRecord,
  LeavingRecord,
  LinkLocalRecord,
  NetworkRecord,
  OwnerRecord,
  PortRecord,
  QosPolicyRecord,
  RbacPolicyRecord,
  SecurityGroupRecord,
  SecurityGroupRuleRecord,
  SubnetPoolRecord,
  SubnetRecord,
  ToldRecord,
} from './records.ts';
import type { RouterRecord } from './router.ts';

export const keys = {
  network: recordsAt('networks/:id', jsonOf<NetworkRecord>(), 'server'),
  subnet: recordsAt('subnets/:network/:id', jsonOf<SubnetRecord>(), 'server'),
  port: recordsAt('ports/:network/:id', jsonOf<PortRecord>(), 'server'),
  group: recordsAt('groups/:id', jsonOf<SecurityGroupRecord>(), 'server'),
  rule: recordsAt('rules/:group/:id', jsonOf<SecurityGroupRuleRecord>(), 'server'),
  /** A template of a rule that new groups begin with. */
  defaultGroupRule: recordsAt('default-rules/:id', jsonOf<DefaultGroupRuleRecord>(), 'server'),
  /** Whether new groups are stateful. */
  defaultStatefulness: recordsAt('default-statefulness/:id', jsonOf<DefaultStatefulnessRecord>(), 'server'),
  addressGroup: recordsAt('address-groups/:id', jsonOf<AddressGroupRecord>(), 'server'),
  /** A QoS policy with its rules. */
  qosPolicy: recordsAt('qos/:id', jsonOf<QosPolicyRecord>(), 'server'),
  /** A router with the ids of its ports. */
  router: recordsAt('routers/:id', jsonOf<RouterRecord>(), 'server'),
  /** The limits that a project was given. */
  quota: recordsAt('quotas/*project', jsonOf<QuotaRecord>(), 'server'),
  addressScope: recordsAt('address-scopes/:id', jsonOf<AddressScopeRecord>(), 'server'),
  subnetPool: recordsAt('subnet-pools/:id', jsonOf<SubnetPoolRecord>(), 'server'),
  rbacPolicy: recordsAt('rbac/:id', jsonOf<RbacPolicyRecord>(), 'server'),
  /** Written by the host that holds the port; `id` is the port's. */
  binding: recordsAt('bindings/:network/:id', jsonOf<BindingRecord>(), 'agent'),
  /** Live connections of a port that is about to leave the host, or has just left it; `id` is the port's. */
  leaving: recordsAt('leaving/:host/:network/:id', jsonOf<LeavingRecord>(), 'agent'),
  /** A link-local address that passed duplicate-address detection: the first port that claims it gets it. */
  linkLocal: recordsAt('link-locals/:network/:address', jsonOf<LinkLocalRecord>(), 'agent'),
  /** The port that claimed an address last, of those that may. */
  owner: recordsAt('owners/:network/:address', jsonOf<OwnerRecord>(), 'agent'),
  agentNote: recordsAt('agent-notes/:host', jsonOf<AgentNote>(), 'server'),
  host: recordsAt('hosts/:host', jsonOf<HostRecord>(), 'agent'),
  /** Exists while the host lives: it is put with a lease. The value is the version of its agent. */
  life: notesAt('lives/:host', 'agent'),
  /** What the host's switch has acknowledged; it vanishes with the host's life. */
  applied: recordsAt('applied/:host', jsonOf<AppliedRecord>(), 'agent'),
  /** The bridge of a host: known also while its agent is away or has not met its switch. */
  bridge: recordsAt('bridges/:host', jsonOf<BridgeRecord>(), 'agent'),
  /** What a rule let in on a host, and since when the host counts. */
  hits: recordsAt('hits/:host/:rule', jsonOf<HitRecord>(), 'agent'),
  hitWatch: recordsAt('hit-watches/:host', jsonOf<HitWatchRecord>(), 'agent'),
  /** A question to the agents, and each host's answer. The asker deletes both. */
  ask: recordsAt('asks/:id', jsonOf<AskRecord>(), 'server'),
  answer: recordsAt('answers/:ask/:host', jsonOf<object>(), 'agent'),
  /** What the compute service was told of a port. */
  novaTold: recordsAt('nova/told/:port', jsonOf<ToldRecord>(), 'server'),

  /** A project's default group, at most one. The value is its id, as in all marks that begin with `default`. */
  defaultGroup: marksAt('default-groups/*project'),
  /** The one default-statefulness record of a project, and the one of all projects. */
  defaultStatefulnessOf: marksAt('default-statefulness-of/*project'),
  defaultStatefulnessOfAll: marksAt('default-statefulness-of-all'),
  /** A port, or a rule of another group, that names the group: the removal of a group depends on them. */
  groupUse: marksAt('uses/groups/:group/:user'),
  /** A rule that names the address group. */
  addressGroupUse: marksAt('uses/address-groups/:group/:user'),
  /** A port or network that has the policy. */
  qosPolicyUse: marksAt('uses/qos/:policy/:user'),
  /** Exists while the group is stateless: a port that mixes groups relies on it. */
  statelessGroup: marksAt('stateless/:group'),
  /** Uniqueness of addresses and MACs in a network. The value is the port's id. */
  takenIp: marksAt('taken/ip/:network/:address'),
  takenMac: marksAt('taken/mac/:network/:mac'),
  /** Uniqueness of flat networks and VLANs on a physical network. The value is the network's id. */
  takenFlat: marksAt('taken/flat/:physical'),
  takenVlan: marksAt('taken/vlan/:physical/:vlan'),
  /** Uniqueness of networks' and ports' keys (numbers.ts). The value is the record's id. */
  networkKey: marksAt('vni/:number'),
  portKey: marksAt('port-key/:network/:number'),
  /** The network of a port: an interface on a host names the port only. */
  portNetwork: marksAt('port-networks/:port'),
  defaultQosPolicy: marksAt('default-qos/*project'),
  defaultExternalNetwork: marksAt('default-external-network'),
  /** A pool of the scope. */
  addressScopeUse: marksAt('uses/address-scopes/:scope/:pool'),
  /** A subnet whose prefix comes from the pool. */
  subnetPoolUse: marksAt('uses/subnet-pools/:pool/:subnet'),
  /** One for each version of IP. */
  defaultSubnetPool: marksAt('default-subnet-pools/:version'),

  /** Written by each request that creates such a resource of the project under a limit; it stays afterwards. */
  quotaUse: notesAt('uses/quotas/:resource/*project/'),
  /** Exists once the first templates of rules were made: without any, new groups begin without rules. */
  defaultGroupRulesPlanted: notesAt('planted/default-rules'),
  /** The least schema version that a program must know to serve the store (schema-version.ts). */
  neededSchema: notesAt('needed-schema'),
  /** Its revision is what servers wait for, until every live host's switch has everything before it. */
  syncTarget: notesAt('sync-target'),
  /** Which server tells the compute service, and since when that is done at all. */
  novaLease: notesAt('nova/lease'),
  novaBegan: notesAt('nova/began'),
  /** Exists while `portcullis store copy` writes to the store: nobody else may use it. */
  copyUnderWay: notesAt('copy-under-way'),
} as const;

export const allKinds: readonly Kind<unknown>[] = Object.values(keys);

/** The mark of a project's default-statefulness record; of all projects where it is empty. */
export const defaultStatefulnessMark = (project: string): string =>
  project === '' ? keys.defaultStatefulnessOfAll() : keys.defaultStatefulnessOf(project);
