/**
 * Finds free addresses in a subnet's pools and free MACs. Keeps the lowest address of each subnet that may be free. So
 * filling a subnet does not walk over the same taken addresses again and again.
 */
import { randomInt } from 'node:crypto';
import { poolRange } from '../../model/address-pools.ts';
import type { SubnetRecord } from '../../model/records.ts';
import { formatIp, parseIp } from '../../net/cidr.ts';
import { type Mac, macFromBits } from '../../net/mac.ts';
import { type Change, ipClaim, macClaim } from './change.ts';
import type { View } from './view.ts';

/** The organisation part of generated MACs: Neutron's default base_mac. */
const baseMac = 0xfa163e000000n;

/** How many free addresses a request that lost a race chooses among. */
const spread = 32;

interface Pools {
  readonly ranges: readonly { readonly first: bigint; readonly last: bigint }[];
  /** No address below is free. */
  floor: bigint;
}

/** `busy`: the remaining ones are claimed by requests that are not settled yet, the first of them by `claim`. */
export type FreeAddress =
  | { readonly kind: 'free'; readonly address: string }
  | { readonly kind: 'busy'; readonly claim: string }
  | { readonly kind: 'full' };

export class AddressBook {
  readonly #view: View;
  /** By record: a subnet whose pools change has a new record, and starts anew. */
  readonly #pools = new WeakMap<SubnetRecord, Pools>();

  constructor(view: View) {
    this.#view = view;
    view.onReleased = (subnet, address) => this.#released(subnet, address);
  }

  isTaken(network: string, address: string): boolean {
    return this.#view.state.ports.by('ip', `${network}/${address}`).size > 0;
  }

  /** The lowest free address. After a lost race: one of the lowest few, so that servers stop choosing the same. Claims nothing. */
  findFree(change: Change, subnet: SubnetRecord): FreeAddress {
    const pools = this.#poolsOf(subnet);
    const wanted = change.attempt === 0 ? 1 : spread;
    const found: string[] = [];
    let busy: string | null = null;
    let contiguous = true;
    for (const range of pools.ranges) {
      for (let bits = range.first > pools.floor ? range.first : pools.floor; bits <= range.last; bits++) {
        const address = formatIp(subnet.ip_version, bits);
        if (this.isTaken(subnet.network_id, address)) {
          if (contiguous) pools.floor = bits + 1n;
          continue;
        }
        contiguous = false;
        const claim = ipClaim(subnet.network_id, address);
        const standing = change.standing(claim);
        if (standing === 'free') found.push(address);
        else if (standing === 'foreign') busy ??= claim;
        if (found.length >= wanted) break;
      }
      if (found.length >= wanted) break;
    }
    const address = found[found.length > 1 ? randomInt(found.length) : 0];
    if (address !== undefined) return { kind: 'free', address };
    return busy === null ? { kind: 'full' } : { kind: 'busy', claim: busy };
  }

  newMac(change: Change, network: string): Mac {
    for (;;) {
      const mac = macFromBits(baseMac | BigInt(randomInt(1 << 24)));
      const taken = this.#view.state.ports.by('mac', `${network}/${mac}`).size > 0;
      if (!taken && change.standing(macClaim(network, mac)) === 'free') return mac;
    }
  }

  #poolsOf(subnet: SubnetRecord): Pools {
    const known = this.#pools.get(subnet);
    if (known !== undefined) return known;
    const ranges = subnet.allocation_pools.flatMap((pool) => poolRange(pool) ?? []);
    ranges.sort((a, b) => (a.first < b.first ? -1 : 1));
    const pools = { ranges, floor: 0n };
    this.#pools.set(subnet, pools);
    return pools;
  }

  #released(subnet: string, address: string): void {
    const record = this.#view.state.subnets.get(subnet)?.record;
    const pools = record === undefined ? undefined : this.#pools.get(record);
    const bits = parseIp(address)?.bits;
    if (pools !== undefined && bits !== undefined && bits < pools.floor) pools.floor = bits;
  }
}
