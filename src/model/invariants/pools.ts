/** What holds of subnet pools, address scopes, and subnets as far as they come from pools. */

import { covers, prefixesOf, rangesOf, rangesOverlap } from '../../net/address-ranges.ts';
import { type Cidr, formatCidr, parseCidr } from '../../net/cidr.ts';
import { toCanonicalCidr } from '../checks.ts';
import { keys } from '../keys.ts';
import { type Invariant, invariantOf } from './invariant.ts';
import type { Found } from './snapshot.ts';

const parsed = (prefixes: readonly string[]): readonly Cidr[] =>
  prefixes.flatMap((prefix) => parseCidr(prefix) ?? []);

/** Keys of records of one group that have an address in common. */
function* overlapping<R>(
  all: readonly Found<R>[],
  groupOf: (record: R) => string | null,
  prefixesIn: (record: R) => readonly Cidr[],
): Iterable<readonly [string, string]> {
  const groups = new Map<string, { readonly key: string; readonly prefixes: readonly Cidr[] }[]>();
  for (const { key, record } of all) {
    const group = groupOf(record);
    if (group === null) continue;
    const others = groups.get(group) ?? [];
    const prefixes = prefixesIn(record);
    for (const other of others)
      if (rangesOverlap(rangesOf(other.prefixes), rangesOf(prefixes)))
        yield [key, `it has addresses of ${other.key}, and both are in ${group}`];
    groups.set(group, [...others, { key, prefixes }]);
  }
}

const subnetPoolInvariant = invariantOf(keys.subnetPool, {
  *problems({ record }, snapshot) {
    const { ip_version: version, prefixes, address_scope_id: scopeId } = record;
    const list = parsed(prefixes);
    const proper = prefixes.every((prefix) => toCanonicalCidr(prefix) === prefix);
    if (!proper || list.length !== prefixes.length || list.some(({ family }) => family !== version))
      yield `${prefixes.join(', ')} are no prefixes of its family`;
    else if (prefixesOf(version, rangesOf(list)).map(formatCidr).join() !== list.map(formatCidr).join())
      yield 'its prefixes could be fewer';
    const { min_prefixlen: min, default_prefixlen: usual, max_prefixlen: max } = record;
    if (!(0 <= min && min <= usual && usual <= max && max <= (version === 4 ? 32 : 128)))
      yield `lengths ${min}, ${usual}, ${max} do not go together`;
    const scope = scopeId === null ? null : snapshot.byId(keys.addressScope, scopeId);
    if (scope === undefined) yield `its address scope ${scopeId} does not exist`;
    else if (scope !== null && scope.ip_version !== version) yield 'its address scope is of another family';
  },
  *marks({ id, address_scope_id: scope, is_default: usual, ip_version: version }) {
    if (scope !== null) yield [keys.addressScopeUse(scope, id), ''];
    if (usual) yield [keys.defaultSubnetPool(String(version)), id];
  },
  together: (all) =>
    overlapping(
      all,
      (pool) => pool.address_scope_id,
      (pool) => parsed(pool.prefixes),
    ),
});

const pooledSubnetInvariant = invariantOf(keys.subnet, {
  *problems({ record: { subnetpool_id: id, cidr } }, snapshot) {
    if (id === undefined) return;
    const pool = snapshot.byId(keys.subnetPool, id);
    if (pool === undefined) yield `its pool ${id} does not exist`;
    else if (!covers(rangesOf(parsed(pool.prefixes)), rangesOf(parsed([cidr]))))
      yield `${cidr} is not in its pool ${id}`;
  },
  *marks({ id, subnetpool_id: pool }) {
    if (pool !== undefined) yield [keys.subnetPoolUse(pool, id), ''];
  },
  *together(all, snapshot) {
    yield* overlapping(
      all,
      (subnet) => subnet.subnetpool_id ?? null,
      (subnet) => parsed([subnet.cidr]),
    );
    // Subnets of a network and family are of one pool, of pools of one scope, or of none.
    const places = new Map<string, string>();
    for (const { key, record } of all) {
      const pool = record.subnetpool_id ?? null;
      const scope = pool === null ? null : (snapshot.byId(keys.subnetPool, pool)?.address_scope_id ?? null);
      const source = scope === null ? `pool ${pool}` : `scope ${scope}`;
      const place = `${record.network_id} ${record.ip_version}`;
      const other = places.get(place);
      if (other !== undefined && other !== source) yield [key, `it is of ${source}, and another of ${other}`];
      places.set(place, source);
    }
  },
});

export const poolInvariants: readonly Invariant[] = [subnetPoolInvariant, pooledSubnetInvariant];
