/**
 * The cost of a start: CPU of `portcullis up` from its first instruction to the switch's acknowledgement, on
 * an empty switch, in worlds of several sizes.
 */
import { EmbeddedStore } from '../src/store/embedded.ts';
import { coldStart } from './cold-start.ts';
import { makeDataDirectory } from './controller.ts';
import { plugged } from './groups/portcullis-side.ts';
import { worldWrites, writeAll } from './groups/records.ts';
import { groupWorld } from './groups/world.ts';
import type { SectionOptions } from './machine.ts';
import { emit, median, round } from './report.ts';

export async function benchStart({ quick }: SectionOptions): Promise<void> {
  for (const [locals, members] of [
    [1, 0],
    [20, 980],
    [1000, 0],
  ] as const) {
    const world = groupWorld({ layout: 'sparse', locals, members, rules: 5 });
    await using data = await makeDataDirectory();
    const store = await EmbeddedStore.open(data.path);
    await writeAll(store, worldWrites(world));
    await store.close();
    await using at = await plugged(world);
    await coldStart(at, data, locals);
    const turns = [];
    for (let turn = 0; turn < (quick ? 3 : 7); turn++) turns.push(await coldStart(at, data, locals));
    emit('start', locals + members, {
      local_ports: locals,
      cpu_s: round(median(turns.map(({ cpu }) => cpu))),
      cpu_min_s: round(Math.min(...turns.map(({ cpu }) => cpu))),
      spawn_to_switch_s: round(median(turns.map(({ fromSpawn }) => fromSpawn / 1000))),
      flows: turns[0]?.flows ?? null,
    });
  }
}
