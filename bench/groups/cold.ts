/**
 * Thousands of rules that name one large remote group, on an empty switch: the pipeline's share in this
 * process, and a cold agent.
 */
import { EmbeddedStore } from '../../src/store/embedded.ts';
import { coldStart } from '../cold-start.ts';
import { makeDataDirectory } from '../controller.ts';
import { emit, median, round } from '../report.ts';
import { Compiler } from './compile.ts';
import { startOvn } from './ovn-side.ts';
import { plugged } from './portcullis-side.ts';
import { worldWrites, writeAll } from './records.ts';
import type { GroupWorld } from './world.ts';

/** Seconds that OVN may take. */
const startTimeout = 90;

const shapeOf = ({ rules, members, locals, remote }: GroupWorld) => ({
  remote: remote === 'group' ? 'security group' : 'address group',
  rules: rules.length,
  addresses: members.length,
  local_ports: locals.length,
});

/** Median of the seconds from the agent's start to the switch's acknowledgement. */
export async function tellCold(world: GroupWorld, turns: number): Promise<number> {
  const compiled = Array.from({ length: turns }, () => new Compiler(world).fromScratch());
  const times = compiled.map(({ milliseconds }) => milliseconds / 1000);

  await using data = await makeDataDirectory();
  const store = await EmbeddedStore.open(data.path);
  await writeAll(store, worldWrites(world));
  await store.close();
  await using at = await plugged(world);
  // The first start only binds the ports. The flows that depend on bindings come a round later, as on a new
  // host.
  await coldStart(at, data, world.locals.length);
  const colds = [];
  for (let turn = 0; turn < turns; turn++) colds.push(await coldStart(at, data, world.locals.length));
  const agent = median(colds.map(({ fromAgent }) => fromAgent / 1000));
  emit(
    'groups.compile',
    world.rules.length,
    {
      peer: 'portcullis',
      ...shapeOf(world),
      repetitions: turns,
      agent_to_switch_s: round(agent),
      spawn_to_switch_s: round(median(colds.map(({ fromSpawn }) => fromSpawn / 1000))),
      // The first run executes code that is not compiled yet, unless an earlier part of the bench ran it.
      pipeline_first_s: round(times[0] ?? Number.NaN),
      pipeline_s: round(median(times)),
      cpu_s: round(median(colds.map(({ cpu }) => cpu))),
      peak_rss_mb: round(median(colds.map(({ peak }) => peak))),
      flows: colds[0]?.flows ?? null,
      flows_after_first_round: Math.max(...colds.map((cold) => cold.flows - cold.flowsInFirstRound)),
    },
    [
      { figure: 'agent_to_switch_s', atMost: 1 },
      { figure: 'flows_after_first_round', atMost: 0 },
    ],
  );
  return agent;
}

/** The same for OVN: seconds from the controller's start until it reports that the switch has everything. */
export async function tellOvnCold(world: GroupWorld, turns: number): Promise<number> {
  await using side = await startOvn(world);
  const colds = [];
  for (let turn = 0; turn < turns; turn++) colds.push(await side.coldStart(startTimeout));
  const seconds = median(colds.map(({ milliseconds }) => milliseconds / 1000));
  emit('groups.compile', world.rules.length, {
    peer: 'ovn',
    ...shapeOf(world),
    repetitions: turns,
    agent_to_switch_s: round(seconds),
    cpu_s: round(median(colds.map(({ cpu }) => cpu))),
    flows: await side.flows(),
  });
  return seconds;
}
