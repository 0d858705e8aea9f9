/**
 * The bindings of a port: where it is, and where a guest that moves is going to arrive. They are part of the port's
 * record, so that a move is one change and exactly one binding is active at any moment.
 */
import type { FastifyInstance } from 'fastify';
import type { DraftOf } from '../../model/attribute.ts';
import { refuse } from '../../model/faults.ts';
import {
  type BindingPatch,
  bindingAt,
  bindingsOf,
  type PortBinding,
  portBindingAttributes,
  requireComputePort,
  withActiveBinding,
  withChangedBinding,
  withNewBinding,
  withoutBinding,
} from '../../model/port-binding.ts';
import { profileWith } from '../../model/port-notes.ts';
import type { BindingRecord, PortRecord } from '../../model/records.ts';
import { type Owned, restamped } from '../../model/standard-attributes.ts';
import { refuseRequest } from '../http/request-faults.ts';
import type { Capabilities, Context, Resource } from '../http/resource.ts';
import { registerSubresource } from '../http/resource-router.ts';
import { Access, allVisible, type Gate } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import { refTo } from '../openapi/operation.ts';
import { componentNames } from '../openapi/table-schemas.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { plugAt, silentHosts } from './port-plug.ts';
import { Ports } from './ports.ts';

const component = 'port_binding';

/** Bindings are for operators, also the bindings of the caller's own ports. */
const operators = ['admin', 'service'] as const;

export function registerPortBindings(app: FastifyInstance, context: Context): void {
  const ports = new Ports(context);
  const portAccess = new Access(ports, context.view);
  registerSubresource(app, context, {
    serve: ({ port = '' }) => {
      const resource = new BindingsOfPort(context, ports, port);
      return { resource, gate: new BindingGate(resource, portAccess, port) };
    },
    idPart: 'host',
    single: true,
    documented: { component, collection: 'bindings' },
  });
}

/** A binding with its port. The host is the id, also in markers of pages. */
interface BindingOfPort extends Owned {
  readonly port: PortRecord;
  readonly binding: PortBinding;
}

type Table = typeof portBindingAttributes;

class BindingsOfPort implements Resource<BindingOfPort, Table> {
  readonly name = 'binding';
  readonly collection = 'bindings';
  readonly path = 'ports/:port/bindings';
  readonly table = portBindingAttributes;
  readonly verbs = { create: operators, read: operators, update: operators, delete: operators };
  readonly capabilities: Capabilities<BindingOfPort, Table> = {
    update: (_change, row, patch) => this.#updated(row.record, patch),
    actions: {
      activate: {
        body: null,
        // Not wrapped, as in Neutron.
        answer: refTo(componentNames(component).whole),
        summary: 'Makes it the one that is active',
        run: (_change, { record: { id: host, port } }) => {
          const { state } = this.#context.view;
          const after = withActiveBinding(port, this.#held, host, silentHosts(state));
          const record = this.#at(after, host);
          return { record, answer: this.show(record) };
        },
      },
    },
  };
  readonly #context: Context;
  readonly #ports: Ports;
  readonly #id: string;

  constructor(context: Context, ports: Ports, port: string) {
    this.#context = context;
    this.#ports = ports;
    this.#id = port;
  }

  get #held(): BindingRecord | undefined {
    return this.#context.view.state.bindings.get(this.#id);
  }

  get #row(): Row<PortRecord> {
    return this.#ports.find(this.#id) ?? refuse(this.#ports.missing(this.#id));
  }

  find(host: string): Row<BindingOfPort> | undefined {
    for (const row of this.candidates()) if (row.record.id === host) return row;
    return undefined;
  }

  candidates(): readonly Row<BindingOfPort>[] {
    const row = this.#ports.find(this.#id);
    if (row === undefined) return [];
    return bindingsOf(row.record, this.#held).map((binding) => ({
      ...row,
      record: recordOf(row.record, binding),
      shown: null,
      shownOtherwise: null,
    }));
  }

  missing(host: string) {
    return { code: 'PortBindingNotFound', port: this.#id, host } as const;
  }

  show({ port, binding }: BindingOfPort) {
    const { host, vnic_type, profile, active } = binding;
    const plug = plugAt(this.#context.view.state, port, shownPlace(binding));
    const status = active ? 'ACTIVE' : 'INACTIVE';
    return { host, ...plug, vnic_type, profile: profileWith(profile, port), status };
  }

  create(change: Change, drafts: readonly DraftOf<Table>[]): readonly BindingOfPort[] {
    return drafts.map(({ host, vnic_type, profile }) => {
      const row = this.#row;
      const silentAt = silentHosts(this.#context.view.state);
      const port = withNewBinding(row.record, this.#held, { host, vnic_type, profile }, silentAt);
      this.#requirePlug(port, host);
      change.replace(row);
      this.#write(change, row, port);
      return this.#at(port, host);
    });
  }

  #updated({ id: host, port }: BindingOfPort, patch: BindingPatch): BindingOfPort {
    const silentAt = silentHosts(this.#context.view.state);
    const after = withChangedBinding(port, this.#held, host, patch, silentAt);
    const place = patch.host ?? host;
    this.#requirePlug(after, place);
    return this.#at(after, place);
  }

  write(change: Change, _before: Row<BindingOfPort>, { port }: BindingOfPort): void {
    this.#write(change, this.#row, port);
  }

  remove(change: Change, { record: { id: host, port } }: Row<BindingOfPort>): void {
    this.#write(change, this.#row, withoutBinding(port, this.#held, host));
  }

  #write(change: Change, row: Row<PortRecord>, after: PortRecord): void {
    this.#ports.write(change, row, restamped(after, change.now));
  }

  #at(port: PortRecord, host: string): BindingOfPort {
    return recordOf(port, bindingAt(port, this.#held, host));
  }

  /** Throws `PortBindingError` where the port cannot be plugged: a guest would wait for it. */
  #requirePlug(port: PortRecord, host: string): void {
    const place = shownPlace(bindingAt(port, this.#held, host));
    const { vif_type: plug } = plugAt(this.#context.view.state, port, place);
    if (plug === 'binding_failed') refuse({ code: 'PortBindingError', port: port.id, host });
  }
}

const recordOf = (port: PortRecord, binding: PortBinding): BindingOfPort => ({
  id: binding.host,
  project_id: port.project_id,
  port,
  binding,
});

/** A binding that was given up has no host until it is active again. */
const shownPlace = (binding: PortBinding): PortBinding => (binding.left ? { ...binding, host: '' } : binding);

/** A caller who does not see the port gets 404. Only operators see and change its bindings. */
class BindingGate implements Gate<BindingOfPort> {
  readonly #bindings: BindingsOfPort;
  readonly #ports: Access<PortRecord>;
  readonly #port: string;

  constructor(bindings: BindingsOfPort, ports: Access<PortRecord>, port: string) {
    this.#bindings = bindings;
    this.#ports = ports;
    this.#port = port;
  }

  readonly visibilityOf = allVisible;

  visibleTo(caller: Caller) {
    this.#demand(caller, 'get');
    return () => true;
  }

  seen(caller: Caller, host: string) {
    return this.#demanded(caller, 'get', host);
  }

  found(caller: Caller, host: string) {
    return this.#demanded(caller, 'get', host);
  }

  demandCreation(caller: Caller) {
    this.#demand(caller, 'create');
  }

  toUpdate(caller: Caller, host: string, _draft: unknown, action = 'update') {
    return this.#demanded(caller, action, host);
  }

  toRemove(caller: Caller, host: string) {
    return this.#demanded(caller, 'delete', host);
  }

  #demanded(caller: Caller, verb: string, host: string): Row<BindingOfPort> {
    this.#demand(caller, verb);
    return this.#bindings.find(host) ?? refuse(this.#bindings.missing(host));
  }

  #demand(caller: Caller, verb: string): void {
    const { record } = this.#ports.found(caller, this.#port);
    if (!caller.admin && !caller.service)
      refuseRequest({ code: 'PolicyNotAuthorized', rules: `rule:${verb}_port_binding` });
    requireComputePort(record);
  }
}
