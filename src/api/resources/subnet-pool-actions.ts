/** The actions of subnet pools: prefixes are added and removed, and subnets of a network become the pool's. */
import { isObject } from '../../model/checks.ts';
import { invalidInput, refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import { pythonText } from '../../model/python-text.ts';
import type { SubnetPoolRecord, SubnetRecord } from '../../model/records.ts';
import { arrayOf, cidrSchema, objectOf, uuidSchema } from '../../model/schema.ts';
import { touched } from '../../model/standard-attributes.ts';
import { prefixOf } from '../../model/subnet.ts';
import { withPrefixes } from '../../model/subnet-pool.ts';
import { rangesOf, rangesOverlap } from '../../net/address-ranges.ts';
import type { Context, ResourceAction } from '../http/resource.ts';
import { requireSeen } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { joinScope, requireScopeOwner } from './scope-membership.ts';

type PoolRow = Row<SubnetPoolRecord>;

const prefixList = objectOf({ prefixes: arrayOf(cidrSchema) });

/** An action that is given prefixes and answers with those that the pool has then. */
export const prefixListing = (
  changed: (change: Change, row: PoolRow, body: unknown, caller: Caller) => SubnetPoolRecord,
): ResourceAction<SubnetPoolRecord> => ({
  body: prefixList,
  answer: prefixList,
  run(change, row, body, caller) {
    const record = changed(change, row, body, caller);
    return { record, answer: { prefixes: record.prefixes } };
  },
});

function networkOf(context: Context, caller: Caller, body: unknown) {
  const named = isObject(body) ? (body['network_id'] ?? null) : null;
  if (named === null) return invalidInput('network_id must be specified.');
  const id = pythonText(named);
  requireSeen(context.view.state, caller, 'network', id);
  const network = context.view.state.networks.get(id) ?? refuse({ code: 'NetworkNotFound', id });
  // Seeing a network does not entitle to its subnets.
  if (!caller.admin && network.record.project_id !== caller.project) refuse({ code: 'NotNetworkOwner' });
  return network;
}

function refuseOverlap(
  pool: SubnetPoolRecord,
  subnets: readonly SubnetRecord[],
  cut: readonly SubnetRecord[],
): void {
  const taken = rangesOf(cut.map(prefixOf));
  for (const { id, cidr, ...subnet } of subnets) {
    if (rangesOverlap(taken, rangesOf([prefixOf({ ...subnet, cidr })]))) {
      refuse({
        code: 'IllegalSubnetPoolUpdate',
        reason: `Onboarding subnet ${id}: ${cidr} conflicts with allocated prefixes in subnet pool ${pool.id}`,
      });
    }
  }
}

/** All subnets of a network that have the pool's family become subnets of the pool. */
export const onboarding = (context: Context): ResourceAction<SubnetPoolRecord> => ({
  body: objectOf({ network_id: uuidSchema }),
  answer: arrayOf(objectOf({ id: uuidSchema, cidr: cidrSchema })),
  run(change, { record: pool }, body, caller) {
    const { state } = context.view;
    const network = networkOf(context, caller, body);
    const rows = [...state.subnets.by('network', network.record.id)].filter(
      ({ record }) => record.ip_version === pool.ip_version,
    );
    const subnets = rows.map((row) => row.record);
    refuseOverlap(
      pool,
      subnets,
      [...state.subnets.by('pool', pool.id)].map((row) => row.record),
    );
    requireScopeOwner(state, caller, pool);
    const after = withPrefixes(pool, subnets.map(prefixOf));
    joinScope(change, state, caller, pool, after);
    change.claim(keys.subnetPoolUse.under(pool.id));
    change.requireQuiet(keys.subnetPoolUse.under(pool.id));
    // A new subnet of the network would stay outside the pool.
    change.replace(network);
    change.put(network.key, touched(network.record, change.now));
    for (const row of rows) {
      change.replace(row);
      if (row.record.subnetpool_id !== undefined)
        change.remove(keys.subnetPoolUse(row.record.subnetpool_id, row.record.id));
      change.put(row.key, touched({ ...row.record, subnetpool_id: pool.id }, change.now));
      change.put(keys.subnetPoolUse(pool.id, row.record.id), '');
    }
    return { record: after, answer: subnets.map(({ id, cidr }) => ({ id, cidr })) };
  },
});
