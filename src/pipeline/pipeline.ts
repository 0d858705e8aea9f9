/**
 * The whole pipeline: facts in, wanted flows out. Ties each relation to the stages that read it; holds no rule
 * of its own. The agent sets `facts`, calls `run`, and asks `desired` what changed.
 */
import { Dataflow, type Relation } from '../base/dataflow.ts';
import { type Mac, macToBits } from '../net/mac.ts';
import type { Direction, PortId } from '../policy/world.ts';
import { DesiredFlows } from './desired.ts';
import type { Draft } from './draft.ts';
import { declareFacts, declareRelations, type Facts, type Ids, newIds, type Relations } from './relations.ts';
import { classify, classifyDefaults, dispatch } from './stages/classify.ts';
import { conntrackDefaults, portState } from './stages/conntrack.ts';
import { guardArp } from './stages/guard-arp.ts';
import { guardIp } from './stages/guard-ip.ts';
import { guardMac, guardTypeDefaults } from './stages/guard-mac.ts';
import { guardNd } from './stages/guard-nd.ts';
import { ingressGuard, ingressGuardDefaults, subnetBroadcast } from './stages/ingress-guard.ts';
import { flood, l2Defaults, unicast, unknownDestination } from './stages/l2.ts';
import { answer, ownQuestions, responderDefaults, soleHolder } from './stages/responder.ts';
import {
  classRules,
  peerFlow,
  portRules,
  ruleFlows,
  securityGroupDefaults,
  setRules,
} from './stages/security-groups.ts';

export interface Features {
  /** The datapath can rewrite neighbour-discovery options, so the switch may answer solicitations. */
  readonly answersNd: boolean;
  /** Meter that bounds a port's packets to the controller. */
  readonly puntMeter: (port: PortId) => number;
}

export class Pipeline {
  readonly facts: Facts;
  readonly relations: Relations;
  readonly desired = new DesiredFlows();
  readonly ids: Ids = newIds();
  readonly #graph = new Dataflow();

  constructor(features: Features) {
    const graph = this.#graph;
    this.facts = declareFacts(graph);
    this.relations = declareRelations(graph, this.facts, this.ids);
    const { relations, ids } = this;
    const { locals, localsOf, macHolders, holders, subnetsOf, activeRules, zoneOf } = relations;

    this.desired.contribute('defaults', [
      ...classifyDefaults,
      ...guardTypeDefaults,
      ...conntrackDefaults,
      ...securityGroupDefaults,
      ...responderDefaults,
      ...l2Defaults,
      ...ingressGuardDefaults,
    ]);

    this.#install(
      'port-flows',
      graph.map('port-flows', locals, (id, local) => {
        const guarded = local.port.adminUp && local.port.mode !== 'off';
        const punt = { userdata: Buffer.from(id), meter: features.puntMeter(id) };
        return [
          ...classify(local),
          ...(guarded
            ? [...guardMac(local), ...guardArp(local), ...guardNd(local, punt), ...guardIp(local)]
            : []),
          ...portState(local),
          ...portRules(local),
          ...ownQuestions(local),
          ...unknownDestination(local),
          ...ingressGuard(local),
          ...dispatch(local),
        ];
      }),
    );

    this.#install(
      'mac-flows',
      graph.map('mac-flows', macHolders, (key, held) => {
        const [zone = '', mac = ''] = key.split('|');
        return unicast(Number(zone), macToBits(mac as Mac), held);
      }),
    );

    this.#install(
      'network-flows',
      graph.map('network-flows', localsOf, (network, members, read) => {
        const zone = read(zoneOf, network);
        if (zone === undefined) return [];
        const subnets = [...(read(subnetsOf, network)?.values() ?? [])];
        return [
          ...flood(network, zone, members),
          ...subnets.flatMap((subnet) => subnetBroadcast(zone, subnet)),
        ];
      }),
    );

    this.#install(
      'answer-flows',
      graph.map('answer-flows', holders, (_, held, read) => {
        const sole = soleHolder(held);
        const zone = sole && read(zoneOf, sole.port.network);
        return sole === undefined || zone === undefined ? undefined : answer(zone, sole, features.answersNd);
      }),
    );

    this.#install(
      'rule-flows',
      graph.map('rule-flows', activeRules, (_, rule) => ruleFlows(rule, ids)),
    );
    this.#install(
      'set-flows',
      graph.map('set-flows', relations.sets, (name, _, read) => setRules(name, relations, ids, read)),
    );
    for (const direction of ['egress', 'ingress'] satisfies Direction[]) {
      this.#install(
        `${direction}-class-flows`,
        graph.map(`${direction}-class-flows`, relations.classes[direction], (name, _, read) =>
          classRules(direction, name, relations, ids, read),
        ),
      );
      this.#install(
        `${direction}-peer-flows`,
        graph.map(`${direction}-peer-flows`, relations.peerClasses[direction], (_, peer, read) => {
          const zone = read(zoneOf, peer.network);
          return zone === undefined ? undefined : [peerFlow(direction, zone, peer, ids)];
        }),
      );
    }
    this.#releaseIds();
  }

  /** Ids go back when nothing on this host bears their name any more. */
  #releaseIds(): void {
    const { locals, sets, classes, activeRules } = this.relations;
    const { ids } = this;
    const gone = (release: (name: string) => void) => (name: string, value: unknown) => {
      if (value === undefined) release(name);
    };
    this.#graph.sink(
      'port-ids',
      locals,
      gone((name) => ids.ports.release(name)),
    );
    this.#graph.sink(
      'set-ids',
      sets,
      gone((name) => ids.sets.release(name)),
    );
    this.#graph.sink(
      'rule-ids',
      activeRules,
      gone((name) => ids.rules.release(name)),
    );
    for (const direction of ['egress', 'ingress'] satisfies Direction[]) {
      const other = classes[direction === 'egress' ? 'ingress' : 'egress'];
      const release = (name: string): void => {
        if (other.get(name) === undefined) ids.classes.release(name);
      };
      this.#graph.sink(`${direction}-class-ids`, classes[direction], gone(release));
    }
  }

  #install<K extends string>(name: string, flows: Relation<K, readonly Draft[]>): void {
    this.#graph.sink(`${name}-installed`, flows, (key, drafts) =>
      this.desired.contribute(`${name}|${key}`, drafts ?? []),
    );
  }

  /** Derives what the changed facts ask for; `desired.takeChanged()` then tells which flows may differ. */
  run(): void {
    this.#graph.run();
  }

  /** Derivations run so far, by relation: what changes have cost. */
  get derivations(): ReadonlyMap<string, number> {
    return this.#graph.derivations;
  }
}
