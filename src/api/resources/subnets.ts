/** Subnets: no overlap in a network. Ports get and lose addresses with automatically addressed subnets. */

import { invalidInput, refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import { checkMtu } from '../../model/network.ts';
import type { NetworkRecord, SubnetRecord } from '../../model/records.ts';
import { isRouterPort } from '../../model/router.ts';
import { subnetsFor } from '../../model/service-types.ts';
import { type Birth, touched } from '../../model/standard-attributes.ts';
import {
  isAutoAddressed,
  prefixOf,
  type SubnetDraft,
  subnetAttributes,
  subnetVerbs,
} from '../../model/subnet.ts';
import { changedSubnet, newSubnet } from '../../model/subnet-rules.ts';
import { formatCidr, overlaps } from '../../net/cidr.ts';
import { eui64Address } from '../../net/eui64.ts';
import { parseMac } from '../../net/mac.ts';
import type { Capabilities } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { IndexNames, Row } from '../state/table.ts';
import { isDisposable, writePort } from './port-writes.ts';
import { isOpenTo } from './sharing.ts';
import { StoredResource } from './stored-resource.ts';
import { markPoolUse, removeSubnet, SubnetPlacing } from './subnet-placing.ts';

export class Subnets extends StoredResource<
  SubnetRecord,
  typeof subnetAttributes,
  IndexNames<State['subnets']>
> {
  override readonly name = 'subnet';
  override readonly collection = 'subnets';
  override readonly path = 'subnets';
  override readonly table = subnetAttributes;
  override readonly verbs = subnetVerbs;
  protected override readonly missingCode = 'SubnetNotFound';
  protected override readonly rowsIn = (state: State) => state.subnets;
  protected override readonly indexes = {
    network_id: 'network',
    subnetpool_id: 'pool',
    name: 'name',
  } as const;
  override readonly capabilities: Capabilities<SubnetRecord, typeof subnetAttributes> = {
    update: (change, { record }, patch) => {
      const network = this.state.networks.get(record.network_id);
      if (network !== undefined) change.requirePresent(network.key);
      this.#keepGateway(change, record, patch.gateway_ip);
      return changedSubnet(record, patch);
    },
    tags: {},
    parent: { type: 'network', attribute: 'network_id' },
    quota: { counts: 'subnet' },
    computed: {
      shared: (subnet, reader) => {
        const network = this.state.networks.get(subnet.network_id);
        return network !== undefined && isOpenTo(this.state, network.record, reader.project);
      },
    },
  };

  override show(subnet: SubnetRecord, reader: Caller) {
    return {
      ...super.show(subnet, reader),
      service_types: subnet.service_types ?? [],
      subnetpool_id: subnet.subnetpool_id ?? null,
      gateway_mac: subnet.gateway_mac ?? null,
    };
  }

  protected override createOne(
    change: Change,
    draft: SubnetDraft,
    birth: Birth,
    caller: Caller,
    created: readonly SubnetRecord[],
  ): SubnetRecord {
    const network = this.state.networks.get(draft.network_id);
    if (network === undefined) return refuse({ code: 'NetworkNotFound', id: draft.network_id });
    const placing = new SubnetPlacing(change, this.state, caller, created);
    const subnet = newSubnet(birth, placing.place(draft, birth.project));
    checkMtu(network.record, subnet.ip_version);
    this.#refuseOverlap(subnet, created);
    this.#touchNetwork(change, network);
    change.put(keys.subnet(subnet.network_id, subnet.id), subnet);
    markPoolUse(change, subnet);
    if (!isAutoAddressed(subnet)) return subnet;
    if (created.some((other) => other.network_id === subnet.network_id && isAutoAddressed(other)))
      invalidInput('Only one subnet with automatic addresses can be created for a network in one request');
    this.#addressPorts(change, subnet);
    return subnet;
  }

  override remove(change: Change, row: Row<SubnetRecord>): void {
    const subnet = row.record;
    const { ports, networks } = this.state;
    const users = [...ports.by('subnet', subnet.id)];
    const releasable = (port: (typeof users)[number]): boolean =>
      isDisposable(port.record) || (isAutoAddressed(subnet) && !isRouterPort(port.record));
    if (!users.every(releasable)) refuse({ code: 'SubnetInUse', id: subnet.id });
    change.requireQuiet(keys.port.under(subnet.network_id));
    for (const port of users) {
      change.requireUnchanged(port);
      const rest = port.record.fixed_ips.filter((ip) => ip.subnet_id !== subnet.id);
      writePort(change, port.record, touched({ ...port.record, fixed_ips: rest }, change.now));
    }
    const network = networks.get(subnet.network_id);
    if (network !== undefined) this.#touchNetwork(change, network);
    removeSubnet(change, subnet);
  }

  /** A gateway address that a router's port has cannot change. */
  #keepGateway(change: Change, before: SubnetRecord, wanted: unknown): void {
    const { gateway_ip: address, network_id: network } = before;
    if (address === null || wanted === undefined || wanted === address) return;
    for (const { record } of this.state.ports.by('ip', `${network}/${address}`))
      if (isRouterPort(record)) refuse({ code: 'GatewayIpInUse', address, port: record.id });
    change.requireQuiet(keys.port.under(network));
  }

  /** Adding or removing a subnet is a revision of the network, so the network cannot be deleted meanwhile. */
  #touchNetwork(change: Change, network: Row<NetworkRecord>): void {
    change.replace(network);
    change.put(network.key, touched(network.record, change.now));
  }

  #refuseOverlap(subnet: SubnetRecord, created: readonly SubnetRecord[]): void {
    const prefix = prefixOf(subnet);
    const present = [...this.state.subnets.by('network', subnet.network_id)].map((row) => row.record);
    for (const other of [...present, ...created.filter((one) => one.network_id === subnet.network_id)]) {
      if (overlaps(prefixOf(other), prefix)) {
        invalidInput(
          `Requested subnet with cidr: ${subnet.cidr} for network: ${subnet.network_id} overlaps with another subnet`,
        );
      }
    }
  }

  /** Existing guests form addresses of the new prefix, so their ports get them. */
  #addressPorts(change: Change, subnet: SubnetRecord): void {
    change.requireQuiet(keys.port.under(subnet.network_id));
    for (const row of this.state.ports.by('network', subnet.network_id)) {
      const port = row.record;
      const mac = parseMac(port.mac_address);
      const chooses = subnetsFor(port.device_owner, [subnet]).length > 0;
      if (mac === null || isRouterPort(port) || !chooses) continue;
      change.requireUnchanged(row);
      const address = formatCidr(eui64Address(prefixOf(subnet), mac));
      const fixedIps = [...port.fixed_ips, { subnet_id: subnet.id, ip_address: address }];
      writePort(change, port, touched({ ...port, fixed_ips: fixedIps }, change.now));
    }
  }
}
