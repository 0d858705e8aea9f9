/**
 * The bindings of a port: where it is, and where a guest that moves is going to arrive. They are part of the port's
 * record, so that a move is one change and exactly one binding is active at any moment.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { draftForCreate, draftForUpdate } from '../../model/attribute.ts';
import { refuse } from '../../model/faults.ts';
import {
  type BindingDraft,
  type BindingPatch,
  bindingAt,
  bindingsOf,
  type PortBinding,
  portBindingAttributes,
  requireComputePort,
  type SilentAt,
  withActiveBinding,
  withChangedBinding,
  withNewBinding,
  withoutBinding,
} from '../../model/port-binding.ts';
import { profileWith } from '../../model/port-notes.ts';
import type { BindingRecord, PortRecord } from '../../model/records.ts';
import { readResource, refuseBody } from '../http/body.ts';
import { matches, parseFilters } from '../http/filters.ts';
import { page, pageLinks, parseFields, parsePaging } from '../http/paging.ts';
import { replaceRecord } from '../http/replacing.ts';
import { refuseRequest } from '../http/request-faults.ts';
import type { Context } from '../http/resource.ts';
import { refuseMethod } from '../http/resource-router.ts';
import { Access } from '../identity/access.ts';
import type { Caller } from '../identity/caller.ts';
import { callerOf } from '../identity/request-caller.ts';
import { does, type Operation, refTo, refuses } from '../openapi/operation.ts';
import { tableOperations } from '../openapi/table-operations.ts';
import { componentNames } from '../openapi/table-schemas.ts';
import type { Row } from '../state/table.ts';
import { originOf } from '../versions.ts';
import { plugAt, silentHosts } from './port-plug.ts';
import { Ports } from './ports.ts';

type OfPort = { Params: { port: string } };
type AtHost = { Params: { port: string; host: string } };

const table = portBindingAttributes;
const name = 'binding';
const collection = 'bindings';
const many = '/v2.0/ports/:port/bindings';
const one = `${many}/:host`;

const component = 'port_binding';

/** Bindings are the cloud's own business, also those of ports that one has oneself. */
const operators = ['admin', 'service'] as const;
const tells = tableOperations(
  {
    name,
    collection,
    table,
    verbs: { create: operators, read: operators, update: operators, delete: operators },
    single: true,
  },
  component,
);
const activate = (): Operation => {
  const { body: _, ...activating } = tells.update();
  return {
    ...activating,
    id: 'activate_binding',
    summary: 'Makes it the one that is active',
    answers: { 200: refTo(componentNames(component).whole) },
  };
};

export function registerPortBindings(app: FastifyInstance, context: Context): void {
  const bindings = new PortBindings(context);

  app.get<OfPort>(many, does(tells.list), async (request) => {
    const url = new URL(request.url, originOf(request));
    const filters = parseFilters(table, url.searchParams);
    const paging = parsePaging(table, url.searchParams);
    const fields = parseFields(table, url.searchParams);
    const readings = bindings.of(callerOf(request), request.params.port);
    const items = page(
      readings.filter((reading) => matches(reading, filters)),
      paging,
    );
    const links = pageLinks(items, paging, url);
    return {
      [collection]: items.map((item) => item.shown(fields)),
      ...(links.length === 0 ? {} : { [`${collection}_links`]: links }),
    };
  });

  app.post<OfPort>(many, tells.create === null ? refuses : does(tells.create), async (request, reply) => {
    const sent = draftForCreate(table, name, readResource(request, name, collection));
    const { host, vnic_type, profile } = sent as unknown as BindingDraft;
    const draft = { host, vnic_type, profile };
    const made = await bindings.change(
      callerOf(request),
      'create',
      request.params.port,
      host,
      (port, held, silentAt) => withNewBinding(port, held, draft, silentAt),
    );
    return reply.code(201).send({ [name]: made });
  });

  app.get<AtHost>(one, does(tells.show), async (request) => {
    const fields = parseFields(table, new URL(request.url, originOf(request)).searchParams);
    const { port, host } = request.params;
    return { [name]: bindings.at(callerOf(request), port, host).shown(fields) };
  });

  app.put<AtHost>(one, does(tells.update), async (request) => {
    const { port: id, host } = request.params;
    const patch: BindingPatch = draftForUpdate(table, name, readResource(request, name, collection));
    const where = patch.host ?? host;
    const changed = await bindings.change(callerOf(request), 'update', id, where, (port, held, silentAt) =>
      withChangedBinding(port, held, host, patch, silentAt),
    );
    return { [name]: changed };
  });

  app.put<AtHost>(`${one}/activate`, does(activate), async (request) => {
    const { port: id, host } = request.params;
    // Not wrapped, as in Neutron.
    return bindings.change(callerOf(request), 'activate', id, host, (port, held, silentAt) =>
      withActiveBinding(port, held, host, silentAt),
    );
  });

  app.delete<AtHost>(one, does(tells.remove), async (request, reply): Promise<FastifyReply> => {
    refuseBody(request);
    const { port: id, host } = request.params;
    await bindings.change(callerOf(request), 'delete', id, null, (port, held) =>
      withoutBinding(port, held, host),
    );
    return reply.code(204).send();
  });

  app.route({ method: ['PUT', 'DELETE', 'PATCH'], url: many, handler: refuseMethod });
  app.route({ method: ['POST', 'PATCH'], url: one, handler: refuseMethod });
  app.route({
    method: ['GET', 'POST', 'DELETE', 'PATCH'],
    url: `${one}/activate`,
    handler: refuseMethod,
  });
}

/** One that was given up is nowhere until it is taken up again. */
const shownPlace = (binding: PortBinding): PortBinding => (binding.left ? { ...binding, host: '' } : binding);

class BindingReading {
  readonly #shown: Readonly<Record<string, unknown>>;

  constructor({ port, binding, context }: { port: PortRecord; binding: PortBinding; context: Context }) {
    const { host, vnic_type, profile, active } = binding;
    const plug = plugAt(context.view.state, port.id, shownPlace(binding));
    const status = active ? 'ACTIVE' : 'INACTIVE';
    this.#shown = { host, ...plug, vnic_type, profile: profileWith(profile, port), status };
  }

  /** The host takes the place of an id: it is what pages are marked by. */
  get(attribute: string): unknown {
    return this.#shown[attribute === 'id' ? 'host' : attribute];
  }

  shown(fields: ReadonlySet<string> | null): Readonly<Record<string, unknown>> {
    if (fields === null) return this.#shown;
    return Object.fromEntries(Object.entries(this.#shown).filter(([attribute]) => fields.has(attribute)));
  }
}

type Held = BindingRecord | undefined;

class PortBindings {
  readonly #context: Context;
  readonly #ports: Ports;
  readonly #access: Access<PortRecord>;

  constructor(context: Context) {
    this.#context = context;
    this.#ports = new Ports(context);
    this.#access = new Access(this.#ports, () => context.view.state);
  }

  of(caller: Caller, port: string): readonly BindingReading[] {
    const { record } = this.#found(caller, 'get', port);
    return bindingsOf(record, this.#held(port)).map((binding) => this.#reading(record, binding));
  }

  at(caller: Caller, port: string, host: string): BindingReading {
    const { record } = this.#found(caller, 'get', port);
    return this.#reading(record, bindingAt(record, this.#held(port), host));
  }

  /** Resolves with the binding at `host` as it then is; with nothing where that is null. */
  async change(
    caller: Caller,
    verb: 'create' | 'update' | 'activate' | 'delete',
    id: string,
    host: string | null,
    decide: (port: PortRecord, held: Held, silentAt: SilentAt) => PortRecord,
  ): Promise<Readonly<Record<string, unknown>> | null> {
    const after = await replaceRecord(this.#context, this.#ports, {
      find: () => this.#found(caller, verb, id),
      expected: null,
      decide: ({ now }, { record }) => {
        const { state } = this.#context.view;
        const changed = decide(record, this.#held(id), silentHosts(state, now));
        if (host !== null && verb !== 'activate') this.#requirePlug(changed, host);
        return changed;
      },
    });
    return host === null ? null : this.#reading(after, bindingAt(after, this.#held(id), host)).shown(null);
  }

  /** A guest would wait in vain where its port cannot be plugged. Throws `PortBindingError`. */
  #requirePlug(port: PortRecord, host: string): void {
    const { id } = port;
    const { vif_type: plug } = plugAt(
      this.#context.view.state,
      id,
      shownPlace(bindingAt(port, this.#held(id), host)),
    );
    if (plug === 'binding_failed') refuse({ code: 'PortBindingError', port: id, host });
  }

  #found(caller: Caller, verb: string, id: string): Row<PortRecord> {
    const row = this.#access.found(caller, id);
    if (!caller.admin && !caller.service)
      refuseRequest({ code: 'PolicyNotAuthorized', rules: `rule:${verb}_port_binding` });
    requireComputePort(row.record);
    return row;
  }

  #reading(port: PortRecord, binding: PortBinding): BindingReading {
    return new BindingReading({ port, binding, context: this.#context });
  }

  #held(port: string): Held {
    return this.#context.view.state.bindings.get(port);
  }
}
