/** `/v2.0/network-ip-availabilities`: how full networks are, counted when somebody asks. */
import { badRequest } from '../../model/faults.ts';
import {
  type IpAvailability,
  ipAvailabilityAttributes,
  ipAvailabilityVerbs,
  showIpAvailability,
} from '../../model/ip-availability.ts';
import type { NetworkRecord } from '../../model/records.ts';
import { type Filters, rowsByIndex, wantedOf } from '../http/filters.ts';
import type { Capabilities, Context, Resource } from '../http/resource.ts';
import type { Row } from '../state/table.ts';

export class IpAvailabilities implements Resource<IpAvailability, typeof ipAvailabilityAttributes> {
  readonly name = 'network_ip_availability';
  readonly collection = 'network_ip_availabilities';
  readonly path = 'network-ip-availabilities';
  readonly table = ipAvailabilityAttributes;
  readonly verbs = ipAvailabilityVerbs;
  readonly capabilities: Capabilities<IpAvailability, typeof ipAvailabilityAttributes> = {
    // An IPv6 prefix has more addresses than a double can count.
    exact: true,
    computed: { ip_version: ({ subnets }) => subnets.map((subnet) => String(subnet.ip_version)) },
  };
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  find(id: string): Row<IpAvailability> | undefined {
    const row = this.#context.view.state.networks.get(id);
    return row === undefined ? undefined : this.#rowOf(row, null);
  }

  candidates(filters: Filters): Iterable<Row<IpAvailability>> {
    const { networks } = this.#context.view.state;
    const rows =
      rowsByIndex(filters, 'network_id', (id) => {
        const row = networks.get(id);
        return row === undefined ? [] : [row];
      }) ??
      rowsByIndex(filters, 'network_name', (name) => networks.by('name', name)) ??
      rowsByIndex(filters, 'project_id', (project) => networks.of(project)) ??
      networks.all();
    const versions = wantedOf(filters, 'ip_version');
    return [...rows].map((row) => this.#rowOf(row, versions));
  }

  missing(id: string) {
    return { code: 'NetworkNotFound', id } as const;
  }

  show(availability: IpAvailability): Record<string, unknown> {
    const { ports } = this.#context.view.state;
    return showIpAvailability(availability, (subnet) => {
      let used = 0;
      for (const { record } of ports.by('subnet', subnet))
        used += record.fixed_ips.filter((ip) => ip.subnet_id === subnet).length;
      return used;
    });
  }

  create(): never {
    return badRequest('What networks have of addresses follows from their subnets');
  }

  write(): void {}

  remove(): void {}

  /** Made anew each time, since ports come and go. */
  #rowOf({ record: network }: Row<NetworkRecord>, versions: readonly string[] | null): Row<IpAvailability> {
    const subnets = [...this.#context.view.state.subnets.by('network', network.id)]
      .map((row) => row.record)
      .filter((subnet) => versions === null || versions.includes(String(subnet.ip_version)));
    const record = { id: network.id, project_id: network.project_id, network, subnets };
    return { key: '', record, modRevision: 0, shown: null, shownOtherwise: null };
  }
}
