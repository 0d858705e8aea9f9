/**
 * Judges the live connections of one network by the rules of a moment: which are forbidden altogether, and which for some
 * of the ports that admitted them. Asks and changes nothing on the switch.
 */

import { keys as keyKinds } from '../../model/keys.ts';
import type { Action } from '../../openflow/index.ts';
import type { ConntrackEntry } from '../../ovsdb/index.ts';
import type { Pipeline } from '../../pipeline/flow-derivation.ts';
import { forget, type Keys, keysOf } from '../../pipeline/record.ts';
import { type Admission, type ConnectionTuple, comesBack, standing } from '../../policy/standing.ts';
import type { NetworkId, PortId, World } from '../../policy/world.ts';
import type { Follows } from '../interest/lookup.ts';
import type { Narrowing } from './narrowing.ts';

/** The port that a record names by its key; null when this host does not follow what would tell. */
type Owner = (key: number) => PortId | null;

/** The facts that connections are judged by. */
export interface Judge {
  readonly pipeline: Pipeline;
  readonly follows: Follows;
}

/** What came of judging a network's connections. */
export interface Judged {
  readonly network: NetworkId;
  readonly zone: number;
  readonly looked: number;
  readonly forbidden: readonly ConntrackEntry[];
  /** Those that go on for some of the ports that admitted them. */
  readonly narrowings: readonly Narrowing[];
}

const sides = ['originators', 'responders'] as const;

/** Tells the connections of a network that are forbidden, altogether or for some who admitted them. */
export function judge(
  by: Judge,
  world: World,
  network: NetworkId,
  zone: number,
  entries: readonly ConntrackEntry[],
): Judged {
  const { pipeline } = by;
  const ownerOf = ownersIn(by, world, network);
  const forbidden: ConntrackEntry[] = [];
  const narrowings: Narrowing[] = [];
  for (const entry of entries) {
    const keys = keysOf(entry);
    const owners = { originators: keys.originators.map(ownerOf), responders: keys.responders.map(ownerOf) };
    const admission = { originators: known(owners.originators), responders: known(owners.responders) };
    const tuple = tupleOf(network, entry);
    const isHalfKnown = sides.some(
      (side) => owners[side].includes(null) && owners[side].some((id) => id !== null),
    );
    const still = isHalfKnown ? standingAlone(world, tuple, admission) : standing(world, tuple, admission);
    if (still === null) {
      forbidden.push(entry);
      continue;
    }
    if (still !== admission)
      narrowings.push({
        entry,
        writes: withoutFallen(entry, keys, still, ownerOf),
        comesBack: sides.every((side) =>
          admission[side].every(
            (id) => still[side].includes(id) || comesBack(world, tuple, id, side, admission),
          ),
        ),
      });
    for (const port of [...still.originators, ...still.responders])
      if (pipeline.relations.locals.get(port) === undefined) pipeline.tightening.isAway(port, network);
  }
  return { network, zone, looked: entries.length, forbidden, narrowings };
}

function tupleOf(
  network: NetworkId,
  { protocol, original: { src, dst, layer4 } }: ConntrackEntry,
): ConnectionTuple {
  const detail = layer4.kind === 'ports' && layer4.src === 0 && layer4.dst === 0 ? null : layer4;
  return { network, protocol, src, dst, detail };
}

/** What takes those out of a connection's record who no longer admit it. */
function withoutFallen(entry: ConntrackEntry, keys: Keys, still: Admission, ownerOf: Owner): Action[] {
  const fallen = (side: readonly number[], kept: readonly PortId[]): number[] =>
    side.filter((key) => {
      const owner = ownerOf(key);
      return owner !== null && !kept.includes(owner);
    });
  return forget(entry, {
    originators: fallen(keys.originators, still.originators),
    responders: fallen(keys.responders, still.responders),
  });
}

/** Finds the port that a connection record names by its key: one of this host, else one of another host, else a gone one. */
export function ownersIn({ pipeline, follows }: Judge, world: World, network: NetworkId): Owner {
  const { relations, facts } = pipeline;
  const allPortsKnown = follows(keyKinds.port.under(network));
  const locals = new Map<number, PortId>();
  for (const [id, { key, port }] of relations.locals.entries())
    if (port.network === network) locals.set(key, id);
  let others: Map<number, PortId> | null = null;
  /** A port is judged by its rules, so it is known only with all of them. */
  const isKnown = (id: PortId): boolean =>
    (world.ports.get(id)?.groups ?? []).every(
      (group) => follows(keyKinds.group(group)) && follows(keyKinds.rule.under(group)),
    );
  return (key) => {
    const local = locals.get(key);
    if (local !== undefined) return local;
    if (others === null) {
      others = new Map();
      for (const port of world.ports.values())
        if (port.network === network) others.set(facts.portKeys.get(port.id) ?? 0, port.id);
    }
    const other = others.get(key);
    if (other !== undefined) {
      if (isKnown(other)) return other;
      // Its rules may change unseen: its connections are judged when it comes.
      pipeline.tightening.isAway(other, network);
      return null;
    }
    return allPortsKnown ? (`gone-${key}` as PortId) : null;
  };
}

const known = (owners: readonly (PortId | null)[]): PortId[] => owners.filter((id) => id !== null);

/**
 * For a connection that a port admitted of which this host does not know enough: the other ports that still admit it,
 * each judged by itself. Never null, because the unknown port may still admit it.
 */
function standingAlone(world: World, tuple: ConnectionTuple, admission: Admission): Admission {
  const still = (side: keyof Admission): readonly PortId[] =>
    admission[side].filter((id) => standing(world, tuple, { ...admission, [side]: [id] }) !== null);
  const [originators, responders] = [still('originators'), still('responders')];
  const isWhole = sides.every((side) => admission[side].length === { originators, responders }[side].length);
  return isWhole ? admission : { originators, responders };
}
