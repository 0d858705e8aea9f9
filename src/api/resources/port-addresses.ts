/** Which fixed addresses a port gets: chosen for it, or checked when the request names them. */

import { isHostAddress } from '../../model/address-pools.ts';
import { invalidInput, refuse } from '../../model/faults.ts';
import type { FixedIpDraft } from '../../model/fixed-ips.ts';
import type { FixedIp, PortRecord, SubnetRecord } from '../../model/records.ts';
import { gatewayOwner, isRouterPort } from '../../model/router.ts';
import { subnetsFor } from '../../model/service-types.ts';
import { isAutoAddressed, prefixOf } from '../../model/subnet.ts';
import { formatCidr, parseIp } from '../../net/cidr.ts';
import { eui64Address } from '../../net/eui64.ts';
import { parseMac } from '../../net/mac.ts';
import type { Context } from '../http/resource.ts';
import { seenPlace } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import { type Change, Contended, ipClaim } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { Row } from '../state/table.ts';

/** Throws `SubnetNotFound` for subnets of networks that the caller does not see. */
export function requireKnownSubnets(
  state: State,
  caller: Caller,
  network: string,
  drafts: readonly FixedIpDraft[],
): void {
  for (const { subnet_id: id = '' } of drafts) {
    const subnet = state.subnets.get(id)?.record;
    if (subnet === undefined || subnet.network_id === network || subnet.project_id === caller.project)
      continue;
    if (seenPlace(state, caller, 'network', subnet.network_id) === undefined)
      refuse({ code: 'SubnetNotFound', id });
  }
}

export class PortAddresses {
  readonly #context: Context;
  readonly #change: Change;
  readonly #network: string;
  readonly #mac: string;
  /** Ports of routers choose their addresses; every other port has one on each prefix with SLAAC. */
  readonly #router: boolean;
  /** Addresses that the port has already and may keep. */
  readonly #own: readonly FixedIp[];
  readonly #subnets: readonly Row<SubnetRecord>[];
  /** Those that ports of its owner choose from. */
  readonly #open: readonly SubnetRecord[];
  readonly #owner: string;

  constructor(
    context: Context,
    change: Change,
    port: Pick<PortRecord, 'network_id' | 'mac_address' | 'device_owner'>,
    own: readonly FixedIp[],
  ) {
    this.#context = context;
    this.#change = change;
    this.#network = port.network_id;
    this.#mac = port.mac_address;
    this.#router = isRouterPort(port) && port.device_owner !== gatewayOwner;
    this.#own = own;
    this.#subnets = [...context.view.state.subnets.by('network', port.network_id)];
    this.#owner = port.device_owner;
    this.#open = subnetsFor(
      this.#owner,
      this.#subnets.map((row) => row.record),
    );
  }

  /** One IPv4 address, one stateful IPv6 address, and the port's own address on each prefix with SLAAC. */
  chooseAll(): readonly FixedIp[] {
    this.#requireOpen();
    const managed = this.#open.filter((subnet) => !isAutoAddressed(subnet));
    const chosen: FixedIp[] = [];
    for (const version of [4, 6]) {
      const subnets = managed.filter((subnet) => subnet.ip_version === version);
      if (subnets.length > 0) chosen.push(this.#free(subnets));
    }
    return this.#withAutomatic(chosen);
  }

  /** Guests form such addresses themselves, also when the request lists others. */
  #withAutomatic(chosen: readonly FixedIp[]): readonly FixedIp[] {
    if (this.#router) return chosen;
    const missing = this.#open.filter(
      (subnet) => isAutoAddressed(subnet) && !chosen.some((ip) => ip.subnet_id === subnet.id),
    );
    return [...chosen, ...missing.map((subnet) => this.#automatic(subnet))];
  }

  /** The list that the request asks for, in its order, and what the port has in any case. */
  resolve(drafts: readonly FixedIpDraft[]): readonly FixedIp[] {
    if (drafts.length > 0) this.#requireOpen();
    // Named addresses first: a free choice must not take one of them.
    const named = drafts.map((draft) =>
      draft.ip_address === undefined ? null : this.#named(draft, draft.ip_address),
    );
    const used = new Set(named.map((ip) => ip?.ip_address));
    const chosen = drafts.map((draft, at) => {
      const known = named[at] ?? this.#anyOf(draft, used);
      used.add(known.ip_address);
      return known;
    });
    return this.#withAutomatic(chosen);
  }

  /** A network without subnets gives no addresses; one whose subnets are all for others refuses. */
  #requireOpen(): void {
    if (this.#subnets.length > 0 && this.#open.length === 0) {
      refuse({
        code: 'IpAddressGenerationFailureNoMatchingSubnet',
        network: this.#network,
        owner: this.#owner,
      });
    }
  }

  #anyOf(draft: FixedIpDraft, used: ReadonlySet<string | undefined>): FixedIp {
    const id = draft.subnet_id ?? '';
    const kept = this.#own.find((ip) => ip.subnet_id === id && !used.has(ip.ip_address));
    const subnet = this.#subnet(id, kept !== undefined);
    if (isAutoAddressed(subnet) && !this.#router) return this.#automatic(subnet);
    return kept ?? this.#free([subnet]);
  }

  #named(draft: FixedIpDraft, address: string): FixedIp {
    const parsed = parseIp(address);
    if (parsed === null) return refuse({ code: 'InvalidIpForNetwork', address });
    const holds = (subnet: SubnetRecord): boolean => isHostAddress(prefixOf(subnet), parsed);
    const kept = this.#own.some((own) => own.ip_address === address);
    const named = draft.subnet_id === undefined ? null : this.#subnet(draft.subnet_id, kept);
    if (named !== null && !holds(named)) refuse({ code: 'InvalidIpForSubnet', address });
    const subnet = named ?? (kept ? this.#subnets.map((row) => row.record) : this.#open).find(holds);
    if (subnet === undefined) return refuse({ code: 'InvalidIpForNetwork', address });
    const ip = { subnet_id: subnet.id, ip_address: address };
    if (kept) return ip;
    if (isAutoAddressed(subnet) && !this.#router && this.#automaticAddress(subnet) !== address) {
      refuse({ code: 'AllocationOnAutoAddressSubnet', address, subnet: subnet.id });
    }
    return this.#take(ip);
  }

  /** A subnet for other device owners keeps the port's present addresses and gives no others. */
  #subnet(id: string, kept: boolean): SubnetRecord {
    const row = this.#subnets.find((one) => one.record.id === id);
    if (row !== undefined && (kept || this.#open.includes(row.record))) return row.record;
    if (this.#context.view.state.subnets.get(id) === undefined) return refuse({ code: 'SubnetNotFound', id });
    return invalidInput(
      `Failed to create port on network ${this.#network}, because fixed_ips included invalid subnet ${id}`,
    );
  }

  #free(subnets: readonly SubnetRecord[]): FixedIp {
    let busy: string | null = null;
    for (const subnet of subnets) {
      const found = this.#context.addresses.findFree(this.#change, subnet);
      if (found.kind === 'free') return this.#take({ subnet_id: subnet.id, ip_address: found.address });
      if (found.kind === 'busy') busy ??= found.claim;
    }
    if (busy !== null) throw new Contended(busy);
    return refuse({ code: 'IpAddressGenerationFailure', network: this.#network });
  }

  #automaticAddress(subnet: SubnetRecord): string {
    const mac = parseMac(this.#mac);
    return mac === null ? '' : formatCidr(eui64Address(prefixOf(subnet), mac));
  }

  #automatic(subnet: SubnetRecord): FixedIp {
    const ip = { subnet_id: subnet.id, ip_address: this.#automaticAddress(subnet) };
    return this.#own.some((own) => own.ip_address === ip.ip_address) ? ip : this.#take(ip);
  }

  #take(ip: FixedIp): FixedIp {
    const { addresses, view } = this.#context;
    const taken = addresses.isTaken(this.#network, ip.ip_address);
    if (taken || !this.#change.claim(ipClaim(this.#network, ip.ip_address))) {
      refuse({ code: 'IpAddressAlreadyAllocated', address: ip.ip_address, subnet: ip.subnet_id });
    }
    const row = view.state.subnets.get(ip.subnet_id);
    if (row !== undefined) this.#change.requireUnchanged(row);
    return ip;
  }
}
