/** Every kind of key that a store may have, as `keys.ts` builds them. */

import type { DefaultStatefulnessRecord } from '../default-statefulness.ts';
import type { QuotaRecord } from '../quota.ts';
import type {
  AddressGroupRecord,
  AddressScopeRecord,
  AgentNote,
  AskRecord,
  BindingRecord,
  BridgeRecord,
  DefaultGroupRuleRecord,
  HitRecord,
  HitWatchRecord,
  HostRecord,
  LinkLocalRecord,
  NetworkRecord,
  PortRecord,
  QosPolicyRecord,
  RbacPolicyRecord,
  SecurityGroupRecord,
  SecurityGroupRuleRecord,
  SubnetPoolRecord,
  SubnetRecord,
  ToldRecord,
} from '../records.ts';
import type { RouterRecord } from '../router.ts';
import { type Kind, marksAt, recordsAt } from './kind.ts';

export const networks = recordsAt<NetworkRecord>('networks/:id');
export const subnets = recordsAt<SubnetRecord>('subnets/:network/:id');
export const ports = recordsAt<PortRecord>('ports/:network/:id');
export const groups = recordsAt<SecurityGroupRecord>('groups/:id');
export const rules = recordsAt<SecurityGroupRuleRecord>('rules/:group/:id');
export const defaultGroupRules = recordsAt<DefaultGroupRuleRecord>('default-rules/:id');
export const defaultStatefulness = recordsAt<DefaultStatefulnessRecord>('default-statefulness/:id');
export const addressGroups = recordsAt<AddressGroupRecord>('address-groups/:id');
export const qosPolicies = recordsAt<QosPolicyRecord>('qos/:id');
export const routers = recordsAt<RouterRecord>('routers/:id');
export const quotas = recordsAt<QuotaRecord>('quotas/*project');
export const rbacPolicies = recordsAt<RbacPolicyRecord>('rbac/:id');
export const addressScopes = recordsAt<AddressScopeRecord>('address-scopes/:id');
export const subnetPools = recordsAt<SubnetPoolRecord>('subnet-pools/:id');
export const bindings = recordsAt<BindingRecord>('bindings/:network/:id');
export const linkLocals = recordsAt<LinkLocalRecord>('link-locals/:network/:address');
export const agentNotes = recordsAt<AgentNote>('agent-notes/:host');
export const novaTold = recordsAt<ToldRecord>('nova/told/:port');
export const hosts = recordsAt<HostRecord>('hosts/:host');
export const bridges = recordsAt<BridgeRecord>('bridges/:host');
export const hits = recordsAt<HitRecord>('hits/:host/:rule');
export const hitWatches = recordsAt<HitWatchRecord>('hit-watches/:host');
export const asks = recordsAt<AskRecord>('asks/:id');
export const answers = recordsAt<object>('answers/:ask/:host');

/** Each there exactly when a record says so. */
export const derivedMarks: readonly Kind<string>[] = [
  marksAt('default-groups/*project'),
  marksAt('default-statefulness-of/*project'),
  marksAt('default-statefulness-of-all'),
  marksAt('uses/groups/:group/:user'),
  marksAt('uses/address-groups/:group/:user'),
  marksAt('uses/qos/:policy/:user'),
  marksAt('stateless/:group'),
  marksAt('taken/ip/:network/:address'),
  marksAt('taken/mac/:network/:mac'),
  marksAt('default-qos/*project'),
  marksAt('default-external-network'),
  marksAt('uses/address-scopes/:scope/:pool'),
  marksAt('uses/subnet-pools/:pool/:subnet'),
  marksAt('default-subnet-pools/:version'),
];

/** They stay when what they were left for has gone. */
export const quotaUses = marksAt('uses/quotas/:resource/*project/');
export const planted = marksAt('planted/default-rules');
export const novaMarks: readonly Kind<string>[] = [marksAt('nova/lease'), marksAt('nova/began')];

export const allKinds: readonly Kind<unknown>[] = [
  networks,
  subnets,
  ports,
  groups,
  rules,
  defaultGroupRules,
  defaultStatefulness,
  addressGroups,
  qosPolicies,
  routers,
  quotas,
  addressScopes,
  subnetPools,
  rbacPolicies,
  bindings,
  linkLocals,
  agentNotes,
  hosts,
  bridges,
  hits,
  hitWatches,
  asks,
  answers,
  ...derivedMarks,
  quotaUses,
  planted,
  novaTold,
  ...novaMarks,
];
