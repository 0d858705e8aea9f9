/**
 * The whole pipeline: facts in, wanted flows out. Ties each relation to the stages that read it; holds no rule
 * of its own. The agent sets `facts`, calls `run`, and asks `desired` what changed.
 */
import { Dataflow, type Edge, type Relation } from '../base/dataflow.ts';
import { type Mac, macToBits } from '../net/mac.ts';
import type { Direction, PortId } from '../policy/world.ts';
import { DesiredFlows } from './desired.ts';
import type { Draft } from './draft.ts';
import { type Abilities, declareFacts, type Facts, noAbilities } from './facts.ts';
import { classify, classifyDefaults } from './features/classify/classify.ts';
import { dispatch, dispatchDefaults } from './features/delivery/dispatch.ts';
import { flood, forwardingDefaults, unicast, unknownDestination } from './features/forwarding/forwarding.ts';
import { dhcpServerGuard, dhcpServerPieces } from './features/guards/dhcp-server-guard.ts';
import { guardArp } from './features/guards/guard-arp.ts';
import { guardIgmp, guardIgmpDefaults } from './features/guards/guard-igmp.ts';
import { guardIp } from './features/guards/guard-ip.ts';
import { guardMac } from './features/guards/guard-mac.ts';
import { guardNd } from './features/guards/guard-nd.ts';
import { guardType, guardTypeDefaults } from './features/guards/guard-type.ts';
import { reservedDefaults, reservedFlows } from './features/guards/reserved-addresses.ts';
import {
  ingressGuard,
  ingressGuardDefaults,
  subnetBroadcast,
} from './features/ingress-guard/ingress-guard.ts';
import { qosDefaults, qosFlows } from './features/qos/qos-flows.ts';
import { ownPieces, recordDefaults } from './features/records/remember.ts';
import {
  answer,
  answerLimit,
  ownRequests,
  responderDefaults,
  soleHolder,
} from './features/responder/responder.ts';
import {
  addressFlow,
  classClauses,
  classIds,
  classKinds,
  clauseDefaults,
  memberFlow,
  portDenials,
  ruleClauses,
  setClauses,
} from './features/security-groups/clauses.ts';
import { needsDefaults, setNeeds } from './features/security-groups/needs.ts';
import { portVerdicts, ruleVerdicts, setVerdicts } from './features/security-groups/rule-verdicts.ts';
import { establishedBypass } from './features/tracking/established-bypass.ts';
import { heldLookups } from './features/tracking/held-lookups.ts';
import { portTracking, trackingDefaults } from './features/tracking/tracking.ts';
import type { LocalPort, Untracked } from './local-port.ts';
import { writePuntData } from './punt-data.ts';
import { releaseMeters } from './qos.ts';
import { declareRelations, type Ids, newIds, type Relations } from './relations.ts';
import { answerMeterOf, puntMeterOf } from './shared-meters.ts';
import { missDefaults } from './table-miss.ts';
import { Tightening } from './tightening.ts';

export interface PipelineOptions {
  /** What the switch can do, where that is known from the start; `facts.abilities` says it later. */
  readonly abilities?: Abilities;
  /** Max pairs of rule and port in a group whose hits are counted by port. */
  readonly maxCountedApart?: number;
}

const directions: readonly Direction[] = ['egress', 'ingress'];

const stateFlows = (local: LocalPort, untracked: Untracked): Draft[] => [
  ...portTracking(local, untracked),
  ...establishedBypass(local, untracked),
  ...(local.up && local.port.mode !== 'off' ? dhcpServerPieces(local) : []),
];

export class Pipeline {
  readonly facts: Facts;
  readonly relations: Relations;
  readonly desired = new DesiredFlows();
  readonly ids: Ids = newIds();
  /** Where live connections may have become forbidden. */
  readonly tightening: Tightening;
  readonly #graph = new Dataflow();

  constructor({ abilities = noAbilities, maxCountedApart }: PipelineOptions = {}) {
    const graph = this.#graph;
    this.facts = declareFacts(graph);
    this.relations = declareRelations(graph, this.facts, this.ids, maxCountedApart);
    this.facts.abilities.set('switch', abilities);
    const { relations, ids } = this;
    const { locals, localsOf, macHolders, holders, subnetsOf, activeRules, networkKeyOf } = relations;

    this.desired.contribute('defaults', [
      ...classifyDefaults,
      ...reservedDefaults,
      ...guardTypeDefaults,
      ...guardIgmpDefaults,
      ...trackingDefaults,
      ...needsDefaults,
      ...clauseDefaults,
      ...responderDefaults,
      ...qosDefaults,
      ...forwardingDefaults,
      ...ingressGuardDefaults,
      ...recordDefaults,
      ...dispatchDefaults,
      ...missDefaults,
    ]);

    this.#install(
      'port-flows',
      graph.map('port-flows', locals, (_, local, read) => {
        const guarded = local.up && local.port.mode !== 'off';
        const { meterSpread } = read(this.facts.abilities, 'switch') ?? noAbilities;
        const meter = puntMeterOf(local.key, meterSpread);
        const punt =
          meter === null ? null : { userdata: writePuntData({ kind: 'link-local', ...local }), meter };
        return [
          ...classify(local),
          ...(guarded
            ? [
                ...guardMac(local),
                ...guardType(local),
                ...guardArp(local),
                ...guardNd(local, punt),
                ...guardIgmp(local),
                ...guardIp(local),
                ...dhcpServerGuard(local),
                ...answerLimit(local, answerMeterOf(local.key, meterSpread)),
              ]
            : []),
          ...portDenials(local),
          ...ownRequests(local),
          ...unknownDestination(local),
          ...ingressGuard(local),
          ...dispatch(local),
        ];
      }),
    );

    this.#installReserved();
    this.#install(
      'mac-flows',
      graph.map('mac-flows', macHolders, (key, held) => {
        const [, mac = ''] = key.split('|');
        return unicast(macToBits(mac as Mac), held);
      }),
    );

    this.#install(
      'network-flows',
      graph.map('network-flows', localsOf, (network, members, read) => {
        const [local] = members.values();
        if (local === undefined) return [];
        const { networkKey: key, zone } = local;
        const subnets = [...(read(subnetsOf, network)?.values() ?? [])];
        return [
          ...heldLookups(network, key, zone),
          ...flood(network, key, members),
          ...subnets.flatMap((subnet) => subnetBroadcast(key, subnet)),
        ];
      }),
    );

    this.#install(
      'answer-flows',
      graph.map('answer-flows', holders, (_, held, read) => {
        const sole = soleHolder(held);
        const key = sole && read(networkKeyOf, sole.port.network);
        const { answersNd } = read(this.facts.abilities, 'switch') ?? noAbilities;
        return sole === undefined || key === undefined ? undefined : answer(key, sole, answersNd);
      }),
    );

    this.#install(
      'state-flows',
      graph.map('state-flows', locals, (_, local, read) => [
        ...stateFlows(local, read(relations.untracked, local.groups) ?? { 4: false, 6: false }),
        ...ownPieces(local),
      ]),
    );
    this.#install(
      'rule-clauses',
      graph.map('rule-clauses', activeRules, (_, rule, read) =>
        ruleClauses(rule, read(relations.stateless, rule.group) !== true, ids),
      ),
    );
    this.#install(
      'rule-verdicts',
      graph.map('rule-verdicts', activeRules, (_, rule, read) => ruleVerdicts(rule, relations, ids, read)),
    );
    this.#install(
      'set-flows',
      graph.map('set-flows', relations.sets, (name, _, read) => [
        ...setNeeds(name, relations, ids, read),
        ...setClauses(name, relations, ids, read),
        ...setVerdicts(name, relations, ids, read),
      ]),
    );
    this.#install(
      'port-verdicts',
      graph.map('port-verdicts', locals, (_, local, read) => portVerdicts(local, relations, ids, read)),
    );
    this.#install(
      'qos-flows',
      graph.map('qos-flows', relations.qos.granted, (id, qos) => qosFlows(id, qos)),
    );
    for (const direction of directions) this.#installClasses(direction);
    this.#releaseIds();
    this.tightening = new Tightening(graph, this.facts, relations);
  }

  #installReserved(): void {
    const { reserved, networkKeyOf } = this.relations;
    for (const relation of reserved)
      this.#install(
        `${relation.name}-flows`,
        this.#graph.map(`${relation.name}-flows`, relation, (_, value, read) => {
          const key = read(networkKeyOf, value.network);
          return key === undefined ? undefined : reservedFlows(key, value);
        }),
      );
  }

  #installClasses(direction: Direction): void {
    const graph = this.#graph;
    const { relations, ids } = this;
    const { members, addresses } = relations;
    for (const kind of classKinds) {
      const name = `${direction}-${kind}-clauses`;
      this.#install(
        name,
        graph.map(name, relations[kind].classes[direction], (className, _, read) =>
          classClauses(kind, direction, className, relations, ids, read),
        ),
      );
    }
    this.#install(
      `${direction}-member-flows`,
      graph.map(`${direction}-member-flows`, members.blocks[direction], (_, held, read) => {
        const [peer] = held.values();
        const key = peer?.network == null ? undefined : read(relations.networkKeyOf, peer.network);
        return peer === undefined || key === undefined ? undefined : [memberFlow(direction, key, peer, ids)];
      }),
    );
    this.#install(
      `${direction}-address-flows`,
      graph.map(`${direction}-address-flows`, addresses.blocks[direction], (_, held) => {
        const [peer] = held.values();
        return peer === undefined ? undefined : [addressFlow(direction, peer, ids)];
      }),
    );
  }

  /** Ids go back when nothing on this host bears their name any more. */
  #releaseIds(): void {
    const { relations } = this;
    const { sets, activeRules } = relations;
    const { ids } = this;
    const gone = (release: (name: string) => void) => (name: string, value: unknown) => {
      if (value === undefined) release(name);
    };
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
    this.#graph.sink(
      'meter-ids',
      relations.qos.asked,
      gone((name) => releaseMeters(name as PortId, ids.meters)),
    );
    for (const kind of classKinds) {
      const { classes } = relations[kind];
      for (const direction of directions) {
        const other = classes[direction === 'egress' ? 'ingress' : 'egress'];
        const release = (name: string): void => {
          if (other.get(name) === undefined) classIds(kind, ids).release(name);
        };
        this.#graph.sink(`${direction}-${kind}-ids`, classes[direction], gone(release));
      }
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

  /** How relations depend on each other, as far as derivations have read until now. */
  get edges(): readonly Edge[] {
    return this.#graph.edges;
  }

  /** Derivations run so far, by relation: what changes have cost. */
  get derivations(): ReadonlyMap<string, number> {
    return this.#graph.derivations;
  }
}
