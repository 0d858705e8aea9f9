/**
 * A router's interfaces: its ports on networks of projects, created for a subnet or existing before. Adding or removing one
 * is a revision of the router, so that two requests cannot add overlapping subnets.
 */

import { poolRange } from '../../model/address-pools.ts';
import { isObject, uuid } from '../../model/checks.ts';
import { refuse } from '../../model/faults.ts';
import { isIsolated } from '../../model/isolation.ts';
import type { PortRecord, SubnetRecord } from '../../model/records.ts';
import { interfaceOwner, leadsThrough, type RouterRecord } from '../../model/router.ts';
import { objectOf, orNullSchema, type Schema, stringSchema, uuidSchema } from '../../model/schema.ts';
import { touched } from '../../model/standard-attributes.ts';
import { prefixOf } from '../../model/subnet.ts';
import { parseIp } from '../../net/cidr.ts';
import type { Context, ResourceAction } from '../http/resource.ts';
import { Access } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { PortAddresses } from './port-addresses.ts';
import { writePort } from './port-writes.ts';
import { Ports } from './ports.ts';
import { badRouterRequest, refuseOverlap, rowsOf, subnetsOfPort } from './router-holds.ts';
import { dropRouterPort, makeRouterPort } from './router-ports.ts';
import { Subnets } from './subnets.ts';

/** What a body names: at least one of both. */
interface Named {
  readonly port: string | undefined;
  readonly subnet: string | undefined;
}

const bodySchema: Schema = objectOf({ subnet_id: uuidSchema, port_id: uuidSchema }, ['subnet_id', 'port_id']);
const answerSchema: Schema = objectOf({
  id: uuidSchema,
  project_id: stringSchema,
  tenant_id: stringSchema,
  port_id: uuidSchema,
  network_id: uuidSchema,
  // Null for a port that had lost its addresses.
  subnet_id: orNullSchema(uuidSchema),
  subnet_ids: { type: 'array', items: uuidSchema },
});

function namedBy(body: unknown): Named {
  const given = isObject(body) ? body : {};
  const [port, subnet] = ['port_id', 'subnet_id'].map((name) => {
    if (!Object.hasOwn(given, name)) return undefined;
    const reason = uuid(given[name]);
    return reason === null ? String(given[name]) : badRouterRequest(reason);
  });
  if (port === undefined && subnet === undefined)
    badRouterRequest('Either subnet_id or port_id must be specified');
  return { port, subnet };
}

const hasFamily6 = (port: PortRecord): boolean =>
  port.fixed_ips.some((ip) => parseIp(ip.ip_address)?.family === 6);

/** A subnet with router advertisements of an external router takes no router here. */
function refuseForeignAnnouncer({ id, ...subnet }: SubnetRecord): void {
  if (subnet.ip_version === 6 && subnet.ipv6_ra_mode === null && subnet.ipv6_address_mode !== null) {
    badRouterRequest(
      `IPv6 subnet ${id} configured to receive RAs from an external router cannot be added to Neutron Router.`,
    );
  }
}

function isInPools(subnet: SubnetRecord, address: string): boolean {
  const bits = parseIp(address)?.bits;
  return subnet.allocation_pools.some((pool) => {
    const range = poolRange(pool);
    return bits !== undefined && range !== null && bits >= range.first && bits <= range.last;
  });
}

/** The answer: the interface after it was added, or before it was removed. */
function told(
  router: RouterRecord,
  port: PortRecord,
  main: SubnetRecord | undefined,
  subnets: readonly SubnetRecord[],
): Readonly<Record<string, unknown>> {
  return {
    id: router.id,
    project_id: port.project_id,
    tenant_id: port.project_id,
    port_id: port.id,
    network_id: port.network_id,
    subnet_id: main?.id ?? null,
    subnet_ids: subnets.map((subnet) => subnet.id),
  };
}

type Outcome = ReturnType<ResourceAction<RouterRecord>['run']>;

/** The actions of routers that add and remove interfaces. */
export function interfaceActions(context: Context): Readonly<Record<string, ResourceAction<RouterRecord>>> {
  const interfaces = new RouterInterfaces(context);
  const common = { body: bodySchema, answer: answerSchema } as const;
  return {
    add_router_interface: {
      ...common,
      run: (change, { record }, body, caller) => interfaces.add(change, record, namedBy(body), caller),
    },
    remove_router_interface: {
      ...common,
      run: (change, { record }, body, caller) => interfaces.remove(change, record, namedBy(body), caller),
    },
  };
}

class RouterInterfaces {
  readonly #context: Context;
  readonly #ports: Access<PortRecord>;
  readonly #subnets: Access<SubnetRecord>;

  constructor(context: Context) {
    this.#context = context;
    this.#ports = new Access(new Ports(context), context.view);
    this.#subnets = new Access(new Subnets(context), context.view);
  }

  add(change: Change, router: RouterRecord, { port, subnet }: Named, caller: Caller): Outcome {
    if (port === undefined) return this.#addSubnet(change, router, subnet ?? '', caller);
    if (subnet !== undefined) badRouterRequest('Cannot specify both subnet-id and port-id');
    return this.#addPort(change, router, port, caller);
  }

  #addSubnet(change: Change, router: RouterRecord, id: string, caller: Caller) {
    const { state } = this.#context.view;
    const subnet = this.#subnets.found(caller, id).record;
    const { gateway_ip: gateway, network_id: network } = subnet;
    if (gateway === null) return badRouterRequest('Subnet for router interface must have a gateway IP');
    this.#admitToSubnet(subnet, caller);
    refuseForeignAnnouncer(subnet);
    refuseOverlap(state, router, [subnet]);
    const ip = { subnet_id: id, ip_address: gateway };
    const companion =
      subnet.ip_version === 6
        ? rowsOf(state, router.interfaces).find(
            ({ record }) => record.network_id === network && hasFamily6(record),
          )
        : undefined;
    if (companion !== undefined) {
      // One port has all IPv6 prefixes of a network.
      const port = this.#readdressed(change, companion, [...companion.record.fixed_ips, ip]);
      return { record: router, answer: told(router, port, subnet, [subnet]) };
    }
    const port = makeRouterPort(change, this.#context, caller, {
      router,
      owner: interfaceOwner,
      network,
      fixed_ips: [ip],
      project: router.project_id,
    });
    const record = { ...router, interfaces: [...router.interfaces, port.id] };
    return { record, answer: told(router, port, subnet, [subnet]) };
  }

  /**
   * A network that is shared with all projects does not give away its subnets' gateways. An isolated one never does: its gateway
   * reaches everybody there.
   */
  #admitToSubnet(subnet: SubnetRecord, caller: Caller): void {
    if (caller.admin || subnet.project_id === caller.project) return;
    const { networks, rbacPolicies } = this.#context.view.state;
    const network = networks.get(subnet.network_id)?.record;
    const lends = network !== undefined && !isIsolated(network);
    for (const { record } of lends ? rbacPolicies.by('object', subnet.network_id) : [])
      if (record.action === 'access_as_shared' && record.target_tenant === caller.project) return;
    badRouterRequest(
      `Cannot add interface to router because subnet ${subnet.id} is not owned by project making the request`,
    );
  }

  #readdressed(change: Change, row: Row<PortRecord>, fixedIps: PortRecord['fixed_ips']): PortRecord {
    const before = row.record;
    change.replace(row);
    const chooser = new PortAddresses(this.#context, change, before, before.fixed_ips);
    const after = touched({ ...before, fixed_ips: chooser.resolve(fixedIps) }, change.now);
    writePort(change, before, after);
    return after;
  }

  /** The port keeps its port security: its owner may not be allowed to change it. */
  #addPort(change: Change, router: RouterRecord, id: string, caller: Caller) {
    const row = this.#ports.toUpdate(caller, id, {});
    const port = row.record;
    if (port.device_id !== '')
      refuse({ code: 'PortInUse', port: id, network: port.network_id, device: port.device_id });
    if (port.fixed_ips.length === 0) badRouterRequest('Router port must have at least one fixed IP');
    const subnets = subnetsOfPort(this.#context.view.state, port);
    for (const subnet of subnets) refuseForeignAnnouncer(subnet);
    this.#refuseSecondIpv6(router, port);
    refuseOverlap(this.#context.view.state, router, subnets);
    if (subnets.filter((subnet) => subnet.ip_version === 4).length > 1)
      badRouterRequest('Cannot have multiple IPv4 subnets on router port');
    this.#admitAddresses(port, subnets, caller);
    change.replace(row);
    const attached = { ...port, device_id: router.id, device_owner: interfaceOwner };
    const after = this.#withRole(change, attached, caller);
    writePort(change, port, touched(after, change.now));
    const record = { ...router, interfaces: [...router.interfaces, id] };
    return { record, answer: told(router, port, subnets.at(-1), subnets) };
  }

  /** Of an isolated network, only its owner's routers reach everybody there. */
  #withRole(change: Change, port: PortRecord, caller: Caller): PortRecord {
    const network = this.#context.view.state.networks.get(port.network_id);
    if (network === undefined || !isIsolated(network.record)) return port;
    change.requireUnchanged(network);
    if (caller.admin || network.record.project_id === caller.project)
      return { ...port, role: { kind: 'promiscuous' } };
    return { ...port, role: port.role ?? { kind: 'isolated' } };
  }

  #refuseSecondIpv6(router: RouterRecord, port: PortRecord): void {
    if (!hasFamily6(port)) return;
    for (const { record: other } of rowsOf(this.#context.view.state, router.interfaces)) {
      if (other.network_id !== port.network_id || !hasFamily6(other)) continue;
      badRouterRequest(
        'Cannot have multiple router ports with the same network id if both contain IPv6 subnets. ' +
          `Existing port ${other.id} has IPv6 subnet(s) and network id ${other.network_id}`,
      );
    }
  }

  #admitAddresses(port: PortRecord, subnets: readonly SubnetRecord[], caller: Caller): void {
    if (caller.admin) return;
    for (const [at, subnet] of subnets.entries()) {
      const address = port.fixed_ips[at]?.ip_address ?? '';
      if (subnet.project_id === caller.project || isInPools(subnet, address)) continue;
      badRouterRequest(
        `Cannot add interface to router because specified port ${port.id} has an IP address out of the ` +
          `allocation pool of subnet ${subnet.id}, which is not owned by the project making the request`,
      );
    }
  }

  remove(change: Change, router: RouterRecord, { port, subnet }: Named, caller: Caller): Outcome {
    return port === undefined
      ? this.#removeSubnet(change, router, subnet ?? '', caller)
      : this.#removePort(change, router, port, subnet);
  }

  #removePort(change: Change, router: RouterRecord, id: string, named: string | undefined) {
    const { state } = this.#context.view;
    const [row] = router.interfaces.includes(id) ? rowsOf(state, [id]) : [];
    if (row === undefined) return refuse({ code: 'RouterInterfaceNotFound', router: router.id, port: id });
    const subnets = subnetsOfPort(state, row.record);
    if (named !== undefined && !subnets.some((subnet) => subnet.id === named))
      refuse({ code: 'SubnetMismatchForPort', port: id, subnet: named });
    for (const subnet of subnets) this.#refuseRouted(router, subnet);
    dropRouterPort(change, this.#context, row);
    return { record: without(router, id), answer: told(router, row.record, subnets[0], subnets) };
  }

  #removeSubnet(change: Change, router: RouterRecord, id: string, caller: Caller) {
    const { state } = this.#context.view;
    const subnet = this.#subnets.found(caller, id).record;
    const row = rowsOf(state, router.interfaces).find(({ record }) =>
      record.fixed_ips.some((ip) => ip.subnet_id === id),
    );
    if (row === undefined)
      return refuse({ code: 'RouterInterfaceNotFoundForSubnet', router: router.id, subnet: id });
    this.#refuseRouted(router, subnet);
    const answer = told(router, row.record, subnet, [subnet]);
    const rest = row.record.fixed_ips.filter((ip) => ip.subnet_id !== id);
    if (rest.length > 0) {
      this.#readdressed(change, row, rest);
      return { record: router, answer };
    }
    dropRouterPort(change, this.#context, row);
    return { record: without(router, row.record.id), answer };
  }

  #refuseRouted(router: RouterRecord, subnet: SubnetRecord): void {
    if (leadsThrough(router.routes, prefixOf(subnet)))
      refuse({ code: 'RouterInterfaceInUseByRoute', router: router.id, subnet: subnet.id });
  }
}

const without = (router: RouterRecord, port: string): RouterRecord => ({
  ...router,
  interfaces: router.interfaces.filter((id) => id !== port),
});
