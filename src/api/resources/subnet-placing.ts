/**
 * The prefix of a new subnet: the one that the request names, or one that a pool gives. Subnets of a network and family
 * come from one pool, or from pools of one address scope, or from none.
 */
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import type { SubnetPoolRecord, SubnetRecord } from '../../model/records.ts';
import { type PlacedSubnetDraft, prefixOf, type SubnetDraft } from '../../model/subnet.ts';
import { cutAny, cutThis } from '../../model/subnet-allocation.ts';
import { type Cidr, cidr, formatCidr, formatIp, parseCidr, parseIp, widthOf } from '../../net/cidr.ts';
import { seenPlace } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import { admit } from './admission.ts';

const bad = (message: string): never => refuse({ code: 'BadSubnetsRequest', message });
const missing = (id: string): never => refuse({ code: 'SubnetPoolNotFound', id });

export class SubnetPlacing {
  readonly #change: Change;
  readonly #state: State;
  readonly #caller: Caller;
  /** What the request has made so far. */
  readonly #created: readonly SubnetRecord[];

  constructor(change: Change, state: State, caller: Caller, created: readonly SubnetRecord[]) {
    this.#change = change;
    this.#state = state;
    this.#caller = caller;
    this.#created = created;
  }

  /** The draft with its prefix, and its pool where it has one. `project` is going to own the subnet. */
  place(draft: SubnetDraft, project: string): PlacedSubnetDraft {
    const named = draft.cidr ?? null;
    if (named !== null && draft.prefixlen !== undefined)
      bad('cidr and prefixlen must not be supplied together');
    const id = this.#poolOf(draft);
    if (id === null) {
      const placed = {
        ...draft,
        cidr: named ?? bad('a subnetpool must be specified in the absence of a cidr'),
      };
      this.#requireAffinity(placed, null);
      return placed;
    }
    if (named === null && draft.allocation_pools !== undefined)
      bad('allocation_pools allowed only for specific subnet requests.');
    admit(this.#change, this.#state, this.#caller, 'subnetpool', id);
    const row = this.#state.subnetPools.get(id) ?? missing(id);
    const pool = row.record;
    if (pool.ip_version !== draft.ip_version)
      bad(`Cannot allocate IPv${draft.ip_version} subnet from IPv${pool.ip_version} subnet pool`);
    this.#change.requireUnchanged(row);
    const placed = this.#cut(draft, pool, project);
    this.#requireAffinity(placed, pool);
    return placed;
  }

  #poolOf({
    subnetpool_id: id,
    use_default_subnetpool: usual,
    cidr: named,
    ip_version: version,
  }: SubnetDraft) {
    if (!usual) return id;
    if (id !== null) bad('subnetpool_id and use_default_subnetpool cannot both be specified');
    const family = (named === undefined || named === null ? null : parseCidr(named)?.family) ?? version;
    for (const { record } of this.#state.subnetPools.by('default', String(family)))
      if (seenPlace(this.#state, this.#caller, 'subnetpool', record.id) !== undefined) return record.id;
    return bad(`No default subnetpool found for IPv${family}`);
  }

  /** Two requests cannot allocate from one pool at the same time. */
  #cut(draft: SubnetDraft, pool: SubnetPoolRecord, project: string): PlacedSubnetDraft {
    const uses = keys.subnetPoolUse.under(pool.id);
    this.#change.claim(uses);
    this.#change.requireQuiet(uses);
    const present = [...this.#state.subnets.by('pool', pool.id)].map((row) => row.record);
    const cut = [...present, ...this.#created.filter((one) => one.subnetpool_id === pool.id)];
    const use = {
      taken: cut.map(prefixOf),
      held: cut.filter((one) => one.project_id === project).map(prefixOf),
    };
    const length = draft.prefixlen ?? pool.default_prefixlen;
    const wanted = wantedPrefix(draft, length);
    const prefix = wanted === null ? cutAny(pool, use, length) : cutThis(pool, use, wanted);
    const text = formatCidr(prefix);
    const placed = {
      ...draft,
      subnetpool_id: pool.id,
      cidr: prefix.length === widthOf(prefix.family) ? `${text}/${prefix.length}` : text,
    };
    // Neutron counts the first address as the routers' here, for either family.
    return wanted === null && draft.gateway_ip === undefined && prefix.length < widthOf(prefix.family)
      ? { ...placed, gateway_ip: formatIp(prefix.family, prefix.bits + 1n) }
      : placed;
  }

  #requireAffinity(placed: PlacedSubnetDraft, pool: SubnetPoolRecord | null): void {
    const { network_id: network, ip_version: version } = placed;
    const present = [...this.#state.subnets.by('network', network)].map((row) => row.record);
    const siblings = [...present, ...this.#created.filter((one) => one.network_id === network)].filter(
      (one) => one.ip_version === version,
    );
    const rows = [...new Set(siblings.flatMap((one) => one.subnetpool_id ?? []))].flatMap(
      (id) => this.#state.subnetPools.get(id) ?? [],
    );
    // The pools stay in their scopes until the change succeeds.
    for (const row of rows) this.#change.requireUnchanged(row);
    const scope = rows.find(({ record }) => record.address_scope_id !== null)?.record.address_scope_id;
    if (pool === null) {
      if (rows.length > 0) refuse({ code: 'NetworkSubnetPoolAffinityError' });
    } else if (scope !== undefined) {
      if (pool.address_scope_id !== scope) refuse({ code: 'NetworkAddressScopeAffinityError' });
    } else if (siblings.some((one) => one.subnetpool_id !== pool.id)) {
      refuse({ code: 'NetworkSubnetPoolAffinityError' });
    }
  }
}

/** The prefix that the request names, or that follows from its gateway; null for any. */
function wantedPrefix({ cidr: named, gateway_ip: gateway }: SubnetDraft, length: number): Cidr | null {
  if (named !== undefined && named !== null) return parseCidr(named);
  const address = gateway === undefined || gateway === null ? null : parseIp(gateway);
  return address === null ? null : cidr(address.family, address.bits, Math.min(length, address.length));
}

/** The mark of a subnet in its pool. */
export function markPoolUse(change: Change, subnet: SubnetRecord): void {
  if (subnet.subnetpool_id !== undefined) change.put(keys.subnetPoolUse(subnet.subnetpool_id, subnet.id), '');
}

/** Takes a subnet's record and mark away. */
export function removeSubnet(change: Change, subnet: SubnetRecord): void {
  change.remove(keys.subnet(subnet.network_id, subnet.id));
  if (subnet.subnetpool_id !== undefined) change.remove(keys.subnetPoolUse(subnet.subnetpool_id, subnet.id));
}
