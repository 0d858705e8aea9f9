/**
 * Routers: what creating, changing and removing one means for its ports. Routers are recorded and hold addresses; they do
 * not forward packets yet.
 */

import { refuse } from '../../model/faults.ts';
import { keys } from '../../model/keys.ts';
import {
  checkRoutes,
  newRouter,
  orderedRoutes,
  portsOfRouter,
  type RouterDraft,
  type RouterRecord,
  routerAttributes,
  routerKind,
  routerVerbs,
  routesBody,
  withoutRoutes,
  withRoutes,
} from '../../model/router.ts';
import type { Birth } from '../../model/standard-attributes.ts';
import type { Capabilities } from '../http/resource.ts';
import type { Caller } from '../identity/caller.ts';
import type { Change } from '../state/change.ts';
import type { State } from '../state/state.ts';
import type { IndexNames, Row } from '../state/table.ts';
import { gatewayRowOf, shownGateway, withGateway } from './router-gateways.ts';
import { placeOf, rowsOf } from './router-holds.ts';
import { interfaceActions } from './router-interfaces.ts';
import { dropRouterPort } from './router-ports.ts';
import { StoredResource } from './stored-resource.ts';

export class Routers extends StoredResource<
  RouterRecord,
  typeof routerAttributes,
  IndexNames<State['routers']>
> {
  override readonly name = 'router';
  override readonly collection = 'routers';
  override readonly path = 'routers';
  override readonly table = routerAttributes;
  override readonly verbs = routerVerbs;
  protected override readonly missingCode = 'RouterNotFound';
  protected override readonly rowsIn = (state: State) => state.routers;
  protected override readonly indexes = { name: 'name' } as const;
  override readonly capabilities: Capabilities<RouterRecord, typeof routerAttributes> = {
    update: (change, { record }, patch, caller) => {
      const { external_gateway_info: wanted, routes, ...plain } = patch;
      const changed = { ...record, ...plain };
      const routed = routes === undefined ? changed : this.#routed(changed, orderedRoutes(routes));
      return wanted === undefined ? routed : withGateway(change, this.context, caller, routed, wanted);
    },
    actions: {
      add_extraroutes: {
        body: routesBody,
        run: (_change, { record }, body) => ({ record: this.#routed(record, withRoutes(record, body)) }),
      },
      remove_extraroutes: {
        body: routesBody,
        run: (_change, { record }, body) => ({ record: this.#routed(record, withoutRoutes(record, body)) }),
      },
      ...interfaceActions(this.context),
    },
    tags: {},
    quota: { counts: 'router', batched: true },
  };

  override show(router: RouterRecord, reader: Caller) {
    const shown = super.show(router, reader);
    const { interfaces: _interfaces, gateway: _gateway, enable_snat: _snat, ...rest } = shown;
    return {
      ...rest,
      status: 'ACTIVE',
      ...routerKind,
      external_gateway_info: shownGateway(this.state, router),
    };
  }

  protected override createOne(
    change: Change,
    draft: RouterDraft,
    birth: Birth,
    caller: Caller,
  ): RouterRecord {
    const bare = newRouter(birth, draft);
    const wanted = draft.external_gateway_info;
    const router = wanted === null ? bare : withGateway(change, this.context, caller, bare, wanted);
    change.put(keys.router(router.id), router);
    return router;
  }

  override remove(change: Change, row: Row<RouterRecord>): void {
    const { state } = this;
    const { id, interfaces } = row.record;
    if (interfaces.length > 0) refuse({ code: 'RouterInUse', id, ports: interfaces });
    const gateway = gatewayRowOf(state, row.record);
    if (gateway !== undefined) dropRouterPort(change, this.context, gateway);
    change.remove(row.key);
  }

  #routed(router: RouterRecord, routes: RouterRecord['routes']): RouterRecord {
    const { state } = this;
    checkRoutes(router.id, routes, placeOf(state, rowsOf(state, portsOfRouter(router))));
    return { ...router, routes };
  }
}
