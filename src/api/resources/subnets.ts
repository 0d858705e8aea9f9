/** Subnets: siblings may not overlap, and the addresses that ports have of it follow its coming and going. */

import type { Draft } from '../../model/attribute.ts';
import { invalidInput, refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import { checkMtu } from '../../model/network.ts';
import type { NetworkRecord, SubnetRecord } from '../../model/records.ts';
import { subnetsFor } from '../../model/service-types.ts';
import { touched } from '../../model/standard-attributes.ts';
import {
  isAutoAddressed,
  prefixOf,
  type SubnetDraft,
  subnetAttributes,
  subnetVerbs,
} from '../../model/subnet.ts';
import { changedSubnet, newSubnet } from '../../model/subnet-rules.ts';
import { tagsOf } from '../../model/tags.ts';
import { formatCidr, overlaps } from '../../net/cidr.ts';
import { eui64Address } from '../../net/eui64.ts';
import { parseMac } from '../../net/mac.ts';
import { type Filters, rowsById, rowsByIndex } from '../http/filters.ts';
import { type Context, ownerOf, type Resource } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { isDisposable, isRouterPort, writePort } from './port-writes.ts';
import { takeQuotaForEach } from './quota-use.ts';
import { isOpenTo } from './sharing.ts';
import { markPoolUse, removeSubnet, SubnetPlacing } from './subnet-placing.ts';

export class Subnets implements Resource<SubnetRecord> {
  readonly name = 'subnet';
  readonly collection = 'subnets';
  readonly path = 'subnets';
  readonly table = subnetAttributes;
  readonly verbs = subnetVerbs;
  readonly parent = { type: 'network', attribute: 'network_id' } as const;
  readonly computed = {
    tags: tagsOf,
    shared: (subnet: SubnetRecord, reader: Caller) => {
      const { state } = this.#context.view;
      const network = state.networks.get(subnet.network_id);
      return network !== undefined && isOpenTo(state, network.record, reader.project);
    },
  };
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  find(id: string): Row<SubnetRecord> | undefined {
    return this.#context.view.state.subnets.get(id);
  }

  candidates(filters: Filters): Iterable<Row<SubnetRecord>> {
    const { subnets } = this.#context.view.state;
    return (
      rowsById(filters, (id) => subnets.get(id)) ??
      rowsByIndex(filters, 'network_id', (network) => subnets.by('network', network)) ??
      rowsByIndex(filters, 'subnetpool_id', (pool) => subnets.by('pool', pool)) ??
      rowsByIndex(filters, 'name', (name) => subnets.by('name', name)) ??
      rowsByIndex(filters, 'project_id', (project) => subnets.of(project)) ??
      subnets.all()
    );
  }

  missing(id: string) {
    return { code: 'SubnetNotFound', id } as const;
  }

  show(subnet: SubnetRecord): Record<string, unknown> {
    return {
      ...subnet,
      service_types: subnet.service_types ?? [],
      subnetpool_id: subnet.subnetpool_id ?? null,
      tags: tagsOf(subnet),
      tenant_id: subnet.project_id,
    };
  }

  create(change: Change, drafts: readonly Draft[], caller: Caller): readonly SubnetRecord[] {
    takeQuotaForEach(
      change,
      this.#context,
      'subnet',
      drafts.map((draft) => ownerOf(draft, caller)),
    );
    const created: SubnetRecord[] = [];
    for (const draft of drafts) {
      const birth = { id: this.#context.newId(), project: ownerOf(draft, caller), now: change.now };
      const asked = draft as unknown as SubnetDraft;
      const network = this.#context.view.state.networks.get(asked.network_id);
      if (network === undefined) return refuse({ code: 'NetworkNotFound', id: asked.network_id });
      const placing = new SubnetPlacing(change, this.#context.view.state, caller, created);
      const subnet = newSubnet(birth, placing.place(asked, birth.project));
      checkMtu(network.record, subnet.ip_version);
      this.#refuseOverlap(subnet, created);
      this.#touchNetwork(change, network);
      change.put(keys.subnet(subnet.network_id, subnet.id), subnet);
      markPoolUse(change, subnet);
      if (isAutoAddressed(subnet)) {
        if (created.some((other) => other.network_id === subnet.network_id && isAutoAddressed(other))) {
          invalidInput(
            'Only one subnet with automatic addresses can be created for a network in one request',
          );
        }
        this.#addressPorts(change, subnet);
      }
      created.push(subnet);
    }
    return created;
  }

  update(change: Change, row: Row<SubnetRecord>, draft: Draft): SubnetRecord {
    const network = this.#context.view.state.networks.get(row.record.network_id);
    if (network !== undefined) change.requirePresent(network.key);
    this.#keepGateway(change, row.record, draft['gateway_ip']);
    return changedSubnet(row.record, draft);
  }

  remove(change: Change, row: Row<SubnetRecord>): void {
    const subnet = row.record;
    const { ports, networks } = this.#context.view.state;
    const users = [...ports.by('subnet', subnet.id)];
    const releasable = (port: (typeof users)[number]): boolean =>
      isDisposable(port.record) || (isAutoAddressed(subnet) && !isRouterPort(port.record));
    if (!users.every(releasable)) refuse({ code: 'SubnetInUse', id: subnet.id });
    change.requireQuiet(keys.port(subnet.network_id, ''));
    for (const port of users) {
      change.requireUnchanged(port);
      const rest = port.record.fixed_ips.filter((ip) => ip.subnet_id !== subnet.id);
      writePort(change, port.record, touched({ ...port.record, fixed_ips: rest }, change.now));
    }
    const network = networks.get(subnet.network_id);
    if (network !== undefined) this.#touchNetwork(change, network);
    removeSubnet(change, subnet);
  }

  /** What a router's port has as the gateway stays the gateway. */
  #keepGateway(change: Change, before: SubnetRecord, wanted: unknown): void {
    const { gateway_ip: address, network_id: network } = before;
    if (address === null || wanted === undefined || wanted === address) return;
    for (const { record } of this.#context.view.state.ports.by('ip', `${network}/${address}`))
      if (isRouterPort(record)) refuse({ code: 'GatewayIpInUse', address, port: record.id });
    change.requireQuiet(keys.port(network, ''));
  }

  /** A child's coming and going is a revision of the network, and keeps it from vanishing meanwhile. */
  #touchNetwork(change: Change, network: Row<NetworkRecord>): void {
    change.replace(network);
    change.put(network.key, touched(network.record, change.now));
  }

  #refuseOverlap(subnet: SubnetRecord, created: readonly SubnetRecord[]): void {
    const prefix = prefixOf(subnet);
    const present = [...this.#context.view.state.subnets.by('network', subnet.network_id)].map(
      (row) => row.record,
    );
    for (const other of [...present, ...created.filter((one) => one.network_id === subnet.network_id)]) {
      if (overlaps(prefixOf(other), prefix)) {
        invalidInput(
          `Requested subnet with cidr: ${subnet.cidr} for network: ${subnet.network_id} overlaps with another subnet`,
        );
      }
    }
  }

  /** Hosts that are already there will address themselves on the new prefix. */
  #addressPorts(change: Change, subnet: SubnetRecord): void {
    change.requireQuiet(keys.port(subnet.network_id, ''));
    for (const row of this.#context.view.state.ports.by('network', subnet.network_id)) {
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
