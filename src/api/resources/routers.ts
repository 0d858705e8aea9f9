/**
 * Routers: what creating, changing and removing one means for the ports that it holds. They are recorded and hold
 * addresses; no packet takes its way by them yet.
 */

import type { Draft } from '../../model/attribute.ts';
import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import {
  checkRoutes,
  newRouter,
  orderedRoutes,
  portsOf,
  type RouterDraft,
  type RouterPatch,
  type RouterRecord,
  routerAttributes,
  routerKind,
  routerVerbs,
  routesBody,
  withoutRoutes,
  withRoutes,
} from '../../model/router.ts';
import { tagsOf } from '../../model/tags.ts';
import { type Filters, rowsById, rowsByIndex } from '../http/filters.ts';
import { type Context, ownerOf, type Resource } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { Row } from '../state/table.ts';
import { quotaLane, takeQuotaForEach } from './quota-use.ts';
import { gatewayRowOf, shownGateway, withGateway } from './router-gateways.ts';
import { placeOf, rowsOf } from './router-holds.ts';
import { RouterInterfaces } from './router-interfaces.ts';
import { dropRouterPort } from './router-ports.ts';

export class Routers implements Resource<RouterRecord> {
  readonly name = 'router';
  readonly collection = 'routers';
  readonly path = 'routers';
  readonly table = routerAttributes;
  readonly verbs = routerVerbs;
  readonly computed = { tags: tagsOf };
  readonly actions = {
    add_extraroutes: ({ record }: Row<RouterRecord>, body: unknown) =>
      this.#routed(record, withRoutes(record, body)),
    remove_extraroutes: ({ record }: Row<RouterRecord>, body: unknown) =>
      this.#routed(record, withoutRoutes(record, body)),
  };
  readonly actionBodies = { add_extraroutes: routesBody, remove_extraroutes: routesBody };
  readonly dealings;
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
    this.dealings = new RouterInterfaces(context).dealings;
  }

  find(id: string): Row<RouterRecord> | undefined {
    return this.#context.view.state.routers.get(id);
  }

  candidates(filters: Filters): Iterable<Row<RouterRecord>> {
    const { routers } = this.#context.view.state;
    return (
      rowsById(filters, (id) => routers.get(id)) ??
      rowsByIndex(filters, 'name', (name) => routers.by('name', name)) ??
      rowsByIndex(filters, 'project_id', (project) => routers.of(project)) ??
      routers.all()
    );
  }

  missing(id: string) {
    return { code: 'RouterNotFound', id } as const;
  }

  show(router: RouterRecord): Record<string, unknown> {
    const { interfaces: _interfaces, gateway: _gateway, enable_snat: _snat, ...rest } = router;
    return {
      ...rest,
      tags: tagsOf(router),
      tenant_id: router.project_id,
      status: 'ACTIVE',
      ...routerKind,
      external_gateway_info: shownGateway(this.#context.view.state, router),
    };
  }

  lane(draft: Draft, caller: Caller): string {
    return quotaLane(ownerOf(draft, caller));
  }

  create(change: Change, drafts: readonly Draft[], caller: Caller): readonly RouterRecord[] {
    takeQuotaForEach(
      change,
      this.#context,
      'router',
      drafts.map((draft) => ownerOf(draft, caller)),
    );
    return drafts.map((draft) => {
      const birth = { id: this.#context.newId(), project: ownerOf(draft, caller), now: change.now };
      const asked = draft as unknown as RouterDraft;
      const bare = newRouter(birth, asked);
      const wanted = asked.external_gateway_info;
      const router = wanted === null ? bare : withGateway(change, this.#context, caller, bare, wanted);
      change.put(keys.router(router.id), router);
      return router;
    });
  }

  update(change: Change, row: Row<RouterRecord>, draft: Draft, caller: Caller): RouterRecord {
    const { external_gateway_info: wanted, routes, ...plain } = draft as RouterPatch;
    const changed = { ...row.record, ...plain };
    const routed = routes === undefined ? changed : this.#routed(changed, orderedRoutes(routes));
    return wanted === undefined ? routed : withGateway(change, this.#context, caller, routed, wanted);
  }

  remove(change: Change, row: Row<RouterRecord>): void {
    const { state } = this.#context.view;
    const { id, interfaces } = row.record;
    if (interfaces.length > 0) refuse({ code: 'RouterInUse', id, ports: interfaces });
    const gateway = gatewayRowOf(state, row.record);
    if (gateway !== undefined) dropRouterPort(change, this.#context, gateway);
    change.remove(row.key);
  }

  #routed(router: RouterRecord, routes: RouterRecord['routes']): RouterRecord {
    const { state } = this.#context.view;
    checkRoutes(router.id, routes, placeOf(state, rowsOf(state, portsOf(router))));
    return { ...router, routes };
  }
}
