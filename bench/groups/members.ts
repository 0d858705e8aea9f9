/**
 * One member joins or leaves a large remote group: the cost of the derivation, the number of changed flows,
 * and the switch's delay behind the database. The number of rules that name the group must not matter.
 */
import { type FlowWatch, watchFlows } from '../flow-watch.ts';
import { emit, type Figures, type Limit, median, quantile, round } from '../report.ts';
import { Compiler } from './compile.ts';
import type { Side } from './side.ts';
import type { GroupPort, GroupWorld, Layout } from './world.ts';

/** Milliseconds without a change after which a change counts as complete. */
const quiet = 60;

/** Changes before the measurement: the first ones run code that is not compiled yet. */
const warmUp = 5;

/** Members from all over the group. */
export function chosen({ members }: GroupWorld, turn: number): GroupPort {
  const member = members[(turn * 7919) % members.length];
  if (member === undefined) throw new Error('the group has no members');
  return member;
}

interface Change {
  readonly lag: number;
  readonly flows4: number;
  readonly flows6: number;
  readonly flows: number;
}

async function change(side: Side, watch: FlowWatch, member: GroupPort, belongs: boolean): Promise<Change> {
  const [events, of4, of6] = [watch.events, watch.eventsOf(4), watch.eventsOf(6)];
  await side.setMembers([member], belongs);
  const acknowledged = performance.now();
  await watch.settled(events, quiet);
  return {
    // Never below zero: a controller may receive a write before its writer's answer.
    lag: Math.max(0, watch.lastAt - acknowledged),
    flows: watch.events - events,
    flows4: watch.eventsOf(4) - of4,
    flows6: watch.eventsOf(6) - of6,
  };
}

/** Median of the milliseconds from the database's acknowledgement to the switch's. */
export async function tellMembers(
  side: Side,
  world: GroupWorld,
  layout: Layout,
  turns: number,
): Promise<number> {
  const changes: Change[] = [];
  let cpu = 0;
  {
    await using watch = await watchFlows(side.at);
    for (let turn = 0; turn < warmUp; turn++)
      for (const belongs of [false, true]) await change(side, watch, chosen(world, turn), belongs);
    const before = side.cpu();
    for (let turn = warmUp; turn < warmUp + turns; turn++)
      for (const belongs of [false, true])
        changes.push(await change(side, watch, chosen(world, turn), belongs));
    cpu = ((side.cpu() - before) / changes.length) * 1000;
  }
  const lags = changes.map(({ lag }) => lag);
  const of = (figure: (change: Change) => number) => changes.map(figure);
  const ours = side.peer === 'portcullis';
  const limits: readonly Limit[] = [
    { figure: 'store_to_switch_p50_ms', atMost: 10 },
    // Where members are dense, a change may split a prefix or complete one.
    ...(layout === 'sparse'
      ? [
          { figure: 'flows_changed_ipv4_most', atMost: 1 },
          { figure: 'flows_changed_ipv6_most', atMost: 1 },
        ]
      : []),
  ];
  const figures: Figures = {
    peer: side.peer,
    layout,
    rules: world.rules.length,
    local_ports: world.locals.length,
    changes: changes.length,
    store_to_switch_p50_ms: round(median(lags)),
    store_to_switch_p95_ms: round(quantile(lags, 0.95)),
    flows_changed_ipv4_p50: median(of(({ flows4 }) => flows4)),
    flows_changed_ipv4_most: Math.max(...of(({ flows4 }) => flows4)),
    flows_changed_ipv6_p50: median(of(({ flows6 }) => flows6)),
    flows_changed_ipv6_most: Math.max(...of(({ flows6 }) => flows6)),
    flows_changed_most: Math.max(...of(({ flows }) => flows)),
    cpu_ms_per_change: round(cpu),
    flows: await side.flows(),
  };
  emit('groups.members', world.members.length, figures, ours ? limits : []);
  return median(lags);
}

/** The derivation's share, in this process and without a switch. */
export function tellMemberCompile(world: GroupWorld, layout: Layout, turns: number): void {
  const compiler = new Compiler(world);
  compiler.fromScratch();
  const compiled = Array.from({ length: turns + warmUp }, (_, turn) =>
    [false, true].map((belongs) => compiler.change(chosen(world, turn), belongs)),
  )
    .slice(warmUp)
    .flat();
  const times = compiled.map(({ milliseconds }) => milliseconds);
  emit(
    'groups.member_compile',
    world.members.length,
    {
      peer: 'portcullis',
      layout,
      rules: world.rules.length,
      changes: compiled.length,
      compile_p50_ms: round(median(times)),
      compile_p95_ms: round(quantile(times, 0.95)),
      compile_most_ms: round(Math.max(...times)),
      derivations_p50: median(compiled.map(({ derivations }) => derivations)),
      derivations_most: Math.max(...compiled.map(({ derivations }) => derivations)),
    },
    [{ figure: 'compile_p50_ms', atMost: 1 }],
  );
}
