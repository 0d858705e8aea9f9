/** Whom a port may talk to: rules, sets of groups, and classes of peers. */
import type { Direction } from '../../../policy/world.ts';
import type { Feature, FeatureContext } from '../../feature.ts';
import {
  addressFlow,
  classClauses,
  classIds,
  classKinds,
  clauseDefaults,
  memberFlow,
  portDenials,
  routedMemberFlow,
  routedStrangers,
  ruleClauses,
  setClauses,
  toRouter,
} from './clauses.ts';
import { needsDefaults, setNeeds } from './needs.ts';
import { portVerdicts, ruleVerdicts, setVerdicts } from './rule-verdicts.ts';

const directions: readonly Direction[] = ['egress', 'ingress'];

export const securityGroups: Feature = {
  defaults: [...needsDefaults, ...clauseDefaults],
  ofPort: portDenials,

  declare: (context) => {
    declareRules(context);
    declareRouters(context);
    for (const direction of directions) declareClasses(context, direction);
    releaseIds(context);
  },
};

function declareRules({ graph, relations, ids, install }: FeatureContext): void {
  const { activeRules, locals, sets, stateless } = relations;
  install(
    graph.map('rule-clauses', activeRules, (_, rule, read) =>
      ruleClauses(rule, read(stateless, rule.group) !== true, ids),
    ),
  );
  install(
    graph.map('rule-verdicts', activeRules, (_, rule, read) => ruleVerdicts(rule, relations, ids, read)),
  );
  install(
    graph.map('set-flows', sets, (name, _, read) => [
      ...setNeeds(name, relations, ids, read),
      ...setClauses(name, relations, ids, read),
      ...setVerdicts(name, relations, ids, read),
    ]),
  );
  install(graph.map('port-verdicts', locals, (_, local, read) => portVerdicts(local, relations, ids, read)));
}

function declareRouters({ graph, relations, ids, install }: FeatureContext): void {
  const { routerPorts, routersHere, networkKeyOf } = relations;
  install(graph.map('routed-stranger-flows', routersHere, (id) => routedStrangers(ids.routers.of(id))));
  install(
    graph.map('to-router-flows', routerPorts, (_, router, read) =>
      read(routersHere, router.router) === true && read(networkKeyOf, router.port.network) !== undefined
        ? [toRouter(router)]
        : undefined,
    ),
  );
}

function declareClasses({ graph, relations, ids, install }: FeatureContext, direction: Direction): void {
  const { members, addresses, networkKeyOf } = relations;
  for (const kind of classKinds)
    install(
      graph.map(`${direction}-${kind}-clauses`, relations[kind].classes[direction], (className, _, read) =>
        classClauses(kind, direction, className, relations, ids, read),
      ),
    );
  install(
    graph.map(`${direction}-member-flows`, members.blocks[direction], (_, held, read) => {
      const [peer] = held.values();
      if (peer === undefined) return undefined;
      const routed = routedMemberFlow(direction, peer, ids);
      if (routed !== null) return [routed];
      const key = peer.network === null ? undefined : read(networkKeyOf, peer.network);
      return key === undefined ? undefined : [memberFlow(direction, key, peer, ids)];
    }),
  );
  install(
    graph.map(`${direction}-address-flows`, addresses.blocks[direction], (_, held) => {
      const [peer] = held.values();
      return peer === undefined ? undefined : [addressFlow(direction, peer, ids)];
    }),
  );
}

/** Ids go back when nothing on this host bears their name any more. */
function releaseIds({ graph, relations, ids }: FeatureContext): void {
  graph.sink('set-ids', relations.sets, (name, value) => {
    if (value === undefined) ids.sets.release(name);
  });
  graph.sink('rule-ids', relations.activeRules, (name, value) => {
    if (value === undefined) ids.rules.release(name);
  });
  for (const kind of classKinds) {
    const { classes } = relations[kind];
    for (const direction of directions) {
      const other = classes[direction === 'egress' ? 'ingress' : 'egress'];
      graph.sink(`${direction}-${kind}-ids`, classes[direction], (name, value) => {
        if (value === undefined && other.get(name) === undefined) classIds(kind, ids).release(name);
      });
    }
  }
}
